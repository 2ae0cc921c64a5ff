/* CBC over a 16-octet block cipher in software, for the aes, serpent and twofish plugins. */
#pragma once
#include "libstrongswan/base/secret.h"

enum { CBC_BLOCK = 16 };
/* one block, in place */
typedef void block_fn(const void *key, uint8_t block[CBC_BLOCK]);

static inline void cbc_xor(uint8_t *to, const uint8_t *with)
{
    for (size_t i = 0; i < CBC_BLOCK; i++)
        to[i] ^= with[i];
}

static inline void cbc_encrypt_blocks(block_fn *encrypt, const void *key, span iv, span in, uint8_t *out)
{
    uint8_t s[CBC_BLOCK];
    memcpy(s, iv.p, CBC_BLOCK);
    for (size_t i = 0; i < in.n; i += CBC_BLOCK) {
        cbc_xor(s, in.p + i);
        encrypt(key, s);
        memcpy(out + i, s, CBC_BLOCK);
    }
}

static inline void cbc_decrypt_blocks(block_fn *decrypt, const void *key, span iv, span in, uint8_t *out)
{
    uint8_t s[CBC_BLOCK], previous[CBC_BLOCK], cipher[CBC_BLOCK];
    memcpy(previous, iv.p, CBC_BLOCK);
    for (size_t i = 0; i < in.n; i += CBC_BLOCK) {
        memcpy(cipher, in.p + i, CBC_BLOCK);
        memcpy(s, cipher, CBC_BLOCK);
        decrypt(key, s);
        cbc_xor(s, previous);
        memcpy(out + i, s, CBC_BLOCK);
        memcpy(previous, cipher, CBC_BLOCK);
    }
    wipe(s, sizeof s);
}
