/* Proposals: one protocol and, per transform type, the algorithms offered in order of preference; their text form
 * (`aes128-sha1-modp2048!`), selection between ours and theirs, and the mapping to IKEv1's numbers.
 * RFC 7296 3.3 and 2.7; RFC 2409 11, RFC 2407 4.4; tokens: reference ipsec-conf.md 9. Plain values.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libstrongswan/base/msgbuf.h"
#include "libstrongswan/crypto/crypto.h"

typedef enum ipsec_proto { PROTO_NONE = 0, PROTO_IKE = 1, PROTO_AH = 2, PROTO_ESP = 3, PROTO_IPCOMP = 4 } ipsec_proto;

typedef struct transform {
    uint8_t type; /* transform_type */
    uint16_t id;
    uint16_t key_bits; /* 0 = no KEY_LENGTH attribute */
} transform;

enum { PROPOSAL_MAX_TRANSFORMS = 64, PROPOSALS_MAX = 32 };

typedef struct proposal {
    uint8_t number;
    uint8_t proto; /* ipsec_proto */
    uint8_t spi[8];
    uint8_t spi_n;
    uint8_t n;
    transform t[PROPOSAL_MAX_TRANSFORMS]; /* grouped by type, in order of preference */
} proposal;

typedef struct proposals {
    uint8_t n;
    bool strict; /* trailing '!': only these; for a responder without it the defaults are acceptable too */
    uint16_t pfs_group; /* `;modpN` of IKEv1's esp= */
    proposal p[PROPOSALS_MAX];
} proposals;

/* "aes256-sha256-modp2048,3des-sha1!": tokens of all dialects. An IKE proposal without PRF gets the one of its integrity
 * algorithm(s); one without integrity but with an AEAD gets PRFs. proto PROTO_IKE, PROTO_ESP or PROTO_AH. ikev1 = also
 * apply IKEv1's rules (no AEAD for IKE, missing hash or group = MD5+SHA1, modp1536+modp1024; an IKE proposal carries ENCR,
 * PRF and DH, its "hash" being prf_hash(); an ESP proposal carries no group, see pfs_group). A cipher with a variable key
 * length and none given stands for all of them. Error: the token and what would be accepted there. */
status proposals_from_text(proposals *out, const char *text, ipsec_proto proto, bool ikev1, msgbuf *msg) MUST_CHECK;
/* Today's defaults, then what an untouched peer of the 4.2 age offers (design.md, decision 10); only what `c` has. */
void proposals_default(proposals *out, ipsec_proto proto, bool ikev1, const crypto *c);
/* Drops transforms without an implementation and proposals that become unusable; msg lists what went. */
void proposals_keep_supported(proposals *p, const crypto *c, msgbuf *msg);
bool proposal_add(proposal *p, transform_type type, uint16_t id, uint16_t key_bits); /* false: full; doubles are skipped */
/* First transform of a type; NULL if none. */
const transform *proposal_get(const proposal *p, transform_type type);
bool proposal_has(const proposal *p, transform_type type, uint16_t id);
/* Takes the first pair of ours x theirs that agree in every type (prefer_ours: our order decides). *out has exactly one
 * transform per type, the number and SPI of theirs. no_dh: leave the DH type out of the comparison (first CHILD_SA).
 * false: msg says which type failed and both lists, as in "no encryption in common: we want …, peer offers …". */
bool proposals_select(const proposals *ours, const proposals *theirs, bool prefer_ours, bool no_dh, proposal *out, msgbuf *msg);
/* "AES_CBC_128/HMAC_SHA1_96/PRF_HMAC_SHA1/MODP_2048", as in charon's status; "ESP:…" with the protocol in front */
char *proposal_text(const proposal *p, bool with_proto, char *dst, size_t size);
char *proposals_text(const proposals *p, char *dst, size_t size);
#define PROPOSAL_TEXT 1024

/* ---- IKEv1 numbers ---- 0 = has none */
uint16_t ikev1_encr_from(encr_alg alg), ikev1_encr_to(uint16_t oakley);    /* attribute 1 */
uint16_t ikev1_hash_from(hash_alg alg), ikev1_hash_to(uint16_t oakley);    /* attribute 2 */
uint16_t ikev1_esp_from(encr_alg alg), ikev1_esp_to(uint16_t transform_id); /* ESP transform id */
uint16_t ikev1_auth_from(integ_alg alg), ikev1_auth_to(uint16_t attr);     /* ESP/AH attribute 5 */
uint16_t ikev1_ah_from(integ_alg alg), ikev1_ah_to(uint16_t transform_id);
