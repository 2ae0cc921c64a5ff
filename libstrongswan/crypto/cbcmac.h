/* CBC-MAC chaining over whichever AES-CBC crypter is loaded; what XCBC and CMAC add is the treatment of the
 * last block. */
#pragma once
#include "libstrongswan/crypto/crypto.h"

enum { CBCMAC_BLOCK = 16 };

typedef struct cbcmac {
    crypter *aes;
    uint8_t whole[CBCMAC_BLOCK];  /* XORed into a last block that is full */
    uint8_t padded[CBCMAC_BLOCK]; /* … and into one that needed 10000… */
} cbcmac;

status cbcmac_key(cbcmac *m, const crypto *c, span key16); /* frees an earlier one */
void cbcmac_fini(void *self);
/* AES of one block; in and out may be the same */
status cbcmac_block(cbcmac *m, const uint8_t in[CBCMAC_BLOCK], uint8_t out[CBCMAC_BLOCK]);
/* the MAC over the parts; self is a cbcmac. mac gets CBCMAC_BLOCK octets */
status cbcmac_compute(void *self, const span *parts, size_t n, uint8_t *mac);
