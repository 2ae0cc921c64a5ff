/* IKEv1's algorithm numbers by the names pluto has always printed. */
#pragma once
#include "libstrongswan/base/enumname.h"

extern const enum_names oakley_encr_names;   /* 7 "OAKLEY_AES_CBC" */
extern const enum_names oakley_hash_names;   /* 2 "OAKLEY_SHA" */
extern const enum_names oakley_group_names;  /* 14 "OAKLEY_GROUP_MODP2048" */
extern const enum_names esp_transform_names; /* 12 "ESP_AES" */
extern const enum_names ah_transform_names;  /* 3 "AH_SHA" */
extern const enum_names auth_alg_names;      /* 2 "AUTH_ALGORITHM_HMAC_SHA1" */
/* The name without its prefix ("OAKLEY_", "OAKLEY_GROUP_", "ESP_", "AUTH_ALGORITHM_"), or "(n)" */
const char *short_alg_name(const enum_names *names, uint32_t value, char tmp[ENUM_TEXT_SIZE]);
#define SHORT_ALG(names, value) short_alg_name(&(names), (value), (char[ENUM_TEXT_SIZE]){0})
