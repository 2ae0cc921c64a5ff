/* The compression function of SHA-1, which the FIPS 186-2 generator uses without SHA-1's padding. */
#pragma once
#include <stdint.h>

extern const uint32_t sha1_initial[5];
void sha1_compress(uint32_t h[5], const uint8_t block[64]);
