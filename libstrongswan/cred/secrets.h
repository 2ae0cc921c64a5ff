/* The grammar of ipsec.secrets: text to entries. Knows nothing of files, keys and the store; secrets_load.c
 * does.
 *
 * Both dialects are read: records that go on in indented lines, and one entry per line. An entry that is
 * wrong is reported and left out, the ones around it are read.
 */
#pragma once
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/cred/credstore.h"

enum { SECRETS_MAX_IDS = 32, SECRETS_MAX_VALUE = 8192 };

typedef enum secret_entry_kind {
    ENTRY_SHARED,  /* PSK, EAP, XAUTH: value */
    ENTRY_KEYFILE, /* RSA, ECDSA, PKCS8: path, and how to open it */
    ENTRY_RSA,     /* inline: numbers */
    ENTRY_PIN,     /* path = selector of the smartcard */
    ENTRY_INCLUDE, /* path = pattern */
} secret_entry_kind;

typedef struct secret_entry {
    secret_entry_kind what;
    secret_kind kind;
    unsigned line;
    span ids[SECRETS_MAX_IDS]; /* words before the colon; the user for XAUTH */
    size_t n_ids;
    span path;
    span value; /* secret, pass phrase or PIN, decoded */
    bool has_value, prompt, pinpad;
    span numbers[8]; /* RSA_N …, decoded */
} secret_entry;

typedef struct secrets_sink {
    void (*entry)(void *ctx, const secret_entry *e);
    void (*error)(void *ctx, unsigned line, const char *why);
    void *ctx;
} secrets_sink;

/* Spans of an entry are valid during the call. */
void secrets_parse(span text, const secrets_sink *sink);
