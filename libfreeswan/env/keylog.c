/* The file of DAEMON.save_keys. A line is written with one call to a descriptor that appends, so that lines
 * of several threads and daemons do not mix; the copy of the keys in the line is wiped.
 */
#include "libfreeswan/env/keylog.h"
#include "libstrongswan/base/secret.h"
#include "libstrongswan/base/text.h"
#include "libstrongswan/crypto/algs.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024, KEY_TEXT = 160 };

struct keylog {
    int fd;
    log_scope log;
};

typedef struct shark_name {
    uint16_t alg, bits; /* 0: whatever length */
    const char *name;
} shark_name;

// clang-format off
static const shark_name encr_shark[] = {
    {ENCR_3DES,         0, "3DES [RFC2451]"},
    {ENCR_NULL,         0, "NULL [RFC2410]"},
    {ENCR_AES_CBC,    128, "AES-CBC-128 [RFC3602]"},
    {ENCR_AES_CBC,    192, "AES-CBC-192 [RFC3602]"},
    {ENCR_AES_CBC,    256, "AES-CBC-256 [RFC3602]"},
    {ENCR_AES_CTR,    128, "AES-CTR-128 [RFC5930]"},
    {ENCR_AES_CTR,    192, "AES-CTR-192 [RFC5930]"},
    {ENCR_AES_CTR,    256, "AES-CTR-256 [RFC5930]"},
    {ENCR_AES_GCM_8,  128, "AES-GCM-128 with 8 octet ICV [RFC5282]"},
    {ENCR_AES_GCM_8,  192, "AES-GCM-192 with 8 octet ICV [RFC5282]"},
    {ENCR_AES_GCM_8,  256, "AES-GCM-256 with 8 octet ICV [RFC5282]"},
    {ENCR_AES_GCM_12, 128, "AES-GCM-128 with 12 octet ICV [RFC5282]"},
    {ENCR_AES_GCM_12, 192, "AES-GCM-192 with 12 octet ICV [RFC5282]"},
    {ENCR_AES_GCM_12, 256, "AES-GCM-256 with 12 octet ICV [RFC5282]"},
    {ENCR_AES_GCM_16, 128, "AES-GCM-128 with 16 octet ICV [RFC5282]"},
    {ENCR_AES_GCM_16, 192, "AES-GCM-192 with 16 octet ICV [RFC5282]"},
    {ENCR_AES_GCM_16, 256, "AES-GCM-256 with 16 octet ICV [RFC5282]"},
    {ENCR_AES_CCM_8,  128, "AES-CCM-128 with 8 octet ICV [RFC5282]"},
    {ENCR_AES_CCM_8,  192, "AES-CCM-192 with 8 octet ICV [RFC5282]"},
    {ENCR_AES_CCM_8,  256, "AES-CCM-256 with 8 octet ICV [RFC5282]"},
    {ENCR_AES_CCM_12, 128, "AES-CCM-128 with 12 octet ICV [RFC5282]"},
    {ENCR_AES_CCM_12, 192, "AES-CCM-192 with 12 octet ICV [RFC5282]"},
    {ENCR_AES_CCM_12, 256, "AES-CCM-256 with 12 octet ICV [RFC5282]"},
    {ENCR_AES_CCM_16, 128, "AES-CCM-128 with 16 octet ICV [RFC5282]"},
    {ENCR_AES_CCM_16, 192, "AES-CCM-192 with 16 octet ICV [RFC5282]"},
    {ENCR_AES_CCM_16, 256, "AES-CCM-256 with 16 octet ICV [RFC5282]"},
    {0, 0, NULL},
};
static const shark_name integ_shark[] = {
    {INTEG_NONE,              0, "NONE [RFC4306]"},
    {INTEG_HMAC_MD5_96,       0, "HMAC_MD5_96 [RFC2403]"},
    {INTEG_HMAC_SHA1_96,      0, "HMAC_SHA1_96 [RFC2404]"},
    {INTEG_HMAC_SHA2_256_128, 0, "HMAC_SHA2_256_128 [RFC4868]"},
    {INTEG_HMAC_SHA2_384_192, 0, "HMAC_SHA2_384_192 [RFC4868]"},
    {INTEG_HMAC_SHA2_512_256, 0, "HMAC_SHA2_512_256 [RFC4868]"},
    {0, 0, NULL},
};
// clang-format on

static const char *shark_find(const shark_name *rows, uint16_t alg, uint16_t bits)
{
    for (; rows->name; rows++)
        if (rows->alg == alg && (!rows->bits || rows->bits == bits))
            return rows->name;
    return NULL;
}

status keylog_open(keylog **out, const char *path, const log_scope *log, msgbuf *msg)
{
    struct stat sb;
    keylog *k = calloc(1, sizeof(*k));

    *out = NULL;
    if (!k)
        return ST_NO_MEMORY;
    k->log = *log;
    k->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (k->fd < 0 || fstat(k->fd, &sb) != 0 || !S_ISREG(sb.st_mode)) {
        int why = k->fd < 0 ? errno : EINVAL;
        keylog_close(k);
        return msg_fail(msg, ST_DENIED, "save_keys: '%s' cannot be written: %s", path, strerror(why));
    }
    LOG(log, DMN, 0, "WARNING: save_keys is on: the keys of every IKE SA are written to '%s'", path);
    LOG(log, DMN, 0, "WARNING: whoever can read that file can read and forge all IKE traffic");
    *out = k;
    return ST_OK;
}

void keylog_close(keylog *k)
{
    if (!k)
        return;
    if (k->fd >= 0)
        close(k->fd);
    free(k);
}

static void put_line(keylog *k, char *line, int n)
{
    if (n > 0 && n < LINE_MAX_BYTES && write(k->fd, line, (size_t)n) != n)
        LOG(&k->log, DMN, 0, "save_keys: writing the keys failed: %s", strerror(errno));
    wipe(line, LINE_MAX_BYTES);
}

void keylog_ikev2(keylog *k, const keylog_keys *x)
{
    if (!k)
        return;
    const char *encr = shark_find(encr_shark, x->encr, x->key_bits);
    const char *integ = shark_find(integ_shark, x->integ, 0);
    char line[LINE_MAX_BYTES], key[4][KEY_TEXT];
    const span keys[4] = {x->ei, x->er, x->ai, x->ar};
    int n;

    for (int i = 0; i < 4; i++) {
        key[i][0] = '\0';
        if (keys[i].n)
            text_hex(keys[i], 0, key[i], sizeof(key[i]));
    }
    if (encr && integ)
        n = snprintf(line, sizeof(line), "%016" PRIx64 ",%016" PRIx64 ",%s,%s,\"%s\",%s,%s,\"%s\"\n",
                     x->spi_i, x->spi_r, key[0], key[1], encr, key[2], key[3], integ);
    else
        n = snprintf(line, sizeof(line), "# %016" PRIx64 ",%016" PRIx64 ": Wireshark knows no %s with %s\n",
                     x->spi_i, x->spi_r, ENUM_STR(encr_names, x->encr), ENUM_STR(integ_names, x->integ));
    put_line(k, line, n);
    wipe(key, sizeof(key));
}

void keylog_ikev1(keylog *k, span cookie_i, span key)
{
    if (!k)
        return;
    char line[LINE_MAX_BYTES], c[KEY_TEXT], x[KEY_TEXT];

    int n = snprintf(line, sizeof(line), "%s,%s\n", text_hex(cookie_i, 0, c, sizeof(c)),
                     text_hex(key, 0, x, sizeof(x)));
    put_line(k, line, n);
    wipe(x, sizeof(x));
}
