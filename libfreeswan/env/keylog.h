/* The keys of IKE SAs in a file, for Wireshark: DAEMON.save_keys in strongswan.conf. Whoever reads it reads
 * everything the daemon says, so it is off unless asked for, and said at level 0 when it is on.
 *
 * Made by env_start(), freed by env_stop(); any thread may write to it. Lines are those of Wireshark's
 * ikev2_decryption_table and ikev1_decryption_table.
 */
#pragma once
#include "libstrongswan/base/log.h"
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/base/span.h"

typedef struct keylog keylog;

/* Appends; makes the file, for its owner only. ST_DENIED: cannot be opened, a link, or not a regular file. */
status keylog_open(keylog **out, const char *path, const log_scope *log, msgbuf *msg) MUST_CHECK;
void keylog_close(keylog *k); /* NULL ok */

typedef struct keylog_keys {
    uint64_t spi_i, spi_r;
    uint16_t encr, key_bits, integ; /* integ 0: AEAD */
    span ei, er, ai, ar;
} keylog_keys;
/* NULL does nothing. What Wireshark has no name for becomes a comment in the file. */
void keylog_ikev2(keylog *k, const keylog_keys *keys);
void keylog_ikev1(keylog *k, span cookie_i, span key);
