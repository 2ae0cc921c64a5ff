/* What travels over the whack and stroke sockets: one request structure, encoded as tagged fields in the body
 * of a control record (libstrongswan/run/ctlserver.h has the record's header and the transport).
 *
 * Field: u16 tag, u32 length, octets. Each tag at most once; unknown tags are skipped; a wrong length, a
 * value out of range, text with a NUL or text that is too long refuses the record. What a request type needs
 * is checked here (ctl_rules), once for both daemons.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libstrongswan/base/arena.h"
#include "libstrongswan/base/buf.h"
#include "libstrongswan/base/enumname.h"
#include "libstrongswan/base/msgbuf.h"

typedef enum ctl_type {                        /* type of the record; 1..15 are the server's (CTL_LINE …) */
                        CTL_REQ_ADD_CONN = 16, /* conn: conn_encode() */
                        CTL_REQ_REPLACE_CONN,  /* the same; takes the place of one of that name */
                        CTL_REQ_DEL_CONN,      /* name */
                        CTL_REQ_ADD_CA,        /* ca: ca_section_encode() */
                        CTL_REQ_REPLACE_CA,
                        CTL_REQ_DEL_CA,    /* name */
                        CTL_REQ_INITIATE,  /* name, asynchronous */
                        CTL_REQ_TERMINATE, /* name, with the suffixes of `stroke down` */
                        CTL_REQ_ROUTE,     /* name */
                        CTL_REQ_UNROUTE,   /* name */
                        CTL_REQ_STATUS,    /* name (optional), all, json */
                        CTL_REQ_LIST,      /* mask of CTL_LIST_, utc */
                        CTL_REQ_REREAD,    /* mask of CTL_REREAD_ */
                        CTL_REQ_PURGE,     /* mask of CTL_PURGE_ */
                        CTL_REQ_LOGLEVEL,  /* group (LG_COUNT = any), level: charon */
                        CTL_REQ_DEBUG,     /* mask of CTL_DEBUG_, name (optional): pluto */
                        CTL_REQ_LISTEN,    /* open sockets, read secrets */
                        CTL_REQ_UNLISTEN,
                        CTL_REQ_SHUTDOWN,
                        CTL_REQ_CONFIG,      /* options: strictcrl … */
                        CTL_REQ_DELETESTATE, /* serial */
                        CTL_REQ_CRASH,       /* from: the peer's address */
                        CTL_REQ_MYID,        /* text: id */
                        CTL_REQ_ADD_PUBKEY,  /* text: id, data: key (empty: look it up), keep: add to those
                                                there are */
                        CTL_REQ_SCENCRYPT,   /* data, text: key id, inbase, outbase */
                        CTL_REQ_SCDECRYPT,
                        CTL_REQ_OPPO,       /* from, to */
                        CTL_REQ_LEASES,     /* name: pool (optional), from: address (optional) */
                        CTL_REQ_DOWN_SRCIP, /* from, to (optional) */
                        CTL_REQ_RELOAD,     /* settings and log levels again */
                        CTL_REQ_CHECK, /* conn: compare with the one loaded; answers "same" or "different" */
                        CTL_REQ_END
} ctl_type;
extern const enum_names ctl_type_names; /* "add connection", as charon's "received stroke: …" says */

// clang-format off
enum { /* mask of CTL_REQ_LIST */
    CTL_LIST_ALGS = 1, CTL_LIST_PUBKEYS = 2, CTL_LIST_CERTS = 4, CTL_LIST_CACERTS = 8, CTL_LIST_ACERTS = 16,
    CTL_LIST_AACERTS = 32, CTL_LIST_OCSPCERTS = 64, CTL_LIST_GROUPS = 128, CTL_LIST_CAINFOS = 256, CTL_LIST_CRLS = 512,
    CTL_LIST_OCSP = 1024, CTL_LIST_CARDS = 2048, CTL_LIST_ALL = 4095
};
enum { /* mask of CTL_REQ_REREAD */
    CTL_REREAD_SECRETS = 1, CTL_REREAD_CACERTS = 2, CTL_REREAD_AACERTS = 4, CTL_REREAD_OCSPCERTS = 8,
    CTL_REREAD_ACERTS = 16, CTL_REREAD_CRLS = 32, CTL_REREAD_GROUPS = 64, CTL_REREAD_ALL = 127
};
enum { CTL_PURGE_OCSP = 1, CTL_PURGE_IKE = 2, CTL_PURGE_CERTS = 4, CTL_PURGE_CRLS = 8, CTL_PURGE_ALL = 15 };
enum { /* mask of CTL_REQ_DEBUG and plutodebug */
    CTL_DEBUG_RAW = 1, CTL_DEBUG_CRYPT = 2, CTL_DEBUG_PARSING = 4, CTL_DEBUG_EMITTING = 8, CTL_DEBUG_CONTROL = 16,
    CTL_DEBUG_LIFECYCLE = 32, CTL_DEBUG_KLIPS = 64, CTL_DEBUG_DNS = 128, CTL_DEBUG_NATT = 256, CTL_DEBUG_OPPO = 512,
    CTL_DEBUG_CONTROLMORE = 1024, CTL_DEBUG_ALL = 2047, CTL_DEBUG_PRIVATE = 4096,
    CTL_IMPAIR_DELAY_ADNS_KEY_ANSWER = 8192, CTL_IMPAIR_DELAY_ADNS_TXT_ANSWER = 16384, CTL_IMPAIR_BUST_MI2 = 32768,
    CTL_IMPAIR_BUST_MR2 = 65536
};
// clang-format on
extern const enum_names ctl_list_names;   /* "certs", …: the words behind list */
extern const enum_names ctl_reread_names; /* "secrets", … */
extern const enum_names ctl_debug_names;  /* "raw", … */

enum { CTL_MAX_NAME = 255, CTL_MAX_TEXT = 2048, CTL_MAX_DATA = 64 * 1024 };

/* CTL_REQ_CONFIG: a value < 0 is not set and not sent. */
typedef struct ctl_options {
    int strictcrl; /* crl_policy */
    int cachecrls, uniqueids /* unique_policy */, nocrsend, nat_traversal, force_keepalive, pkcs11keepstate,
        pkcs11proxy;
    int64_t crlcheckinterval_s, keep_alive_s, cookie_threshold;
} ctl_options;

typedef struct ctl_request {
    ctl_type type;
    const char *name;
    const char *text;
    span conn, ca; /* encoded sections */
    span data;
    ip_addr from, to; /* family 0 = not set */
    uint32_t mask;
    uint32_t serial;
    int group, level;
    uint16_t inbase, outbase; /* 16, 64, 256; 0 = 16 */
    bool asynchronous, all, utc, keep, json;
    ctl_options options;
} ctl_request;

/* All fields unset (and options -1), of the type given. */
void ctl_request_init(ctl_request *r, ctl_type type);
/* Appends the body. ST_INVALID: something the type needs is missing, or too long; msg says what. */
status ctl_encode(const ctl_request *r, buf *body, msgbuf *msg) MUST_CHECK;
/* Texts are copied into the arena; spans point into body. ST_UNSUPPORTED: unknown type. */
status ctl_decode(ctl_request *r, uint16_t type, span body, arena *mem, msgbuf *msg) MUST_CHECK;
