/* IKEv1 on the wire: header, payloads, attributes, messages, fragments, vendor IDs.   RFC 2407, 2408, 2409,
 * 3947, 3706; reference ikev1-wire.md
 *
 * Receiving: ikev1_parse_header(); in clear ikev1_parse() takes the whole chain; an encrypted body is
 * decrypted by the caller and given to ikev1_parse_chain(). Everything lives in the caller's arena; spans
 * point into what was parsed. Draft NAT-T payloads 130/131 appear as 20/21 (`wire_type` tells).
 *
 * Sending: an ikev1_builder collects the chain; ikev1_emit() puts the header before it; the caller hashes and
 * encrypts.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libfreeswan/wire/wire.h"

enum {
    IKEV1_HEADER = 28,
    IKEV1_GENERIC = 4,
    IKEV1_MAX_PAYLOADS = 40,
    IKEV1_MAX_MESSAGE = 65535,
    IKEV1_MAX_FRAGMENTS = 64,
    IKEV1_ARENA_LIMIT = 1 << 19
};
typedef enum ikev1_exchange {
    ISAKMP_XCHG_NONE = 0,
    ISAKMP_XCHG_BASE = 1,
    ISAKMP_XCHG_IDPROT = 2,
    ISAKMP_XCHG_AO = 3,
    ISAKMP_XCHG_AGGR = 4,
    ISAKMP_XCHG_INFO = 5,
    ISAKMP_XCHG_MODE_CFG = 6,
    ISAKMP_XCHG_QUICK = 32,
    ISAKMP_XCHG_NGRP = 33,
    ISAKMP_XCHG_ACK_INFO = 34,
} ikev1_exchange;
enum { IKEV1_FLAG_ENCRYPTION = 1, IKEV1_FLAG_COMMIT = 2, IKEV1_FLAG_AUTH_ONLY = 4 };

typedef enum ikev1_payload_type {
    PLV1_NONE = 0,
    PLV1_SA = 1,
    PLV1_P = 2,
    PLV1_T = 3,
    PLV1_KE = 4,
    PLV1_ID = 5,
    PLV1_CERT = 6,
    PLV1_CR = 7,
    PLV1_HASH = 8,
    PLV1_SIG = 9,
    PLV1_NONCE = 10,
    PLV1_N = 11,
    PLV1_D = 12,
    PLV1_VID = 13,
    PLV1_ATTR = 14,
    PLV1_NAT_D = 20,
    PLV1_NAT_OA = 21,
    PLV1_NAT_D_DRAFT = 130,
    PLV1_NAT_OA_DRAFT = 131,
    PLV1_FRAGMENT = 132,
} ikev1_payload_type;

enum { IKEV1_DOI_ISAKMP = 0, IKEV1_DOI_IPSEC = 1, IKEV1_SIT_IDENTITY_ONLY = 1 };
enum { IKEV1_TRANSFORM_KEY_IKE = 1 }; /* transform id of phase 1 */
typedef enum ikev1_oakley_attr {
    OAKLEY_ENCRYPTION_ALGORITHM = 1,
    OAKLEY_HASH_ALGORITHM = 2,
    OAKLEY_AUTHENTICATION_METHOD = 3,
    OAKLEY_GROUP_DESCRIPTION = 4,
    OAKLEY_GROUP_TYPE = 5,
    OAKLEY_GROUP_PRIME = 6,
    OAKLEY_GROUP_GENERATOR_ONE = 7,
    OAKLEY_GROUP_GENERATOR_TWO = 8,
    OAKLEY_GROUP_CURVE_A = 9,
    OAKLEY_GROUP_CURVE_B = 10,
    OAKLEY_LIFE_TYPE = 11,
    OAKLEY_LIFE_DURATION = 12,
    OAKLEY_PRF = 13,
    OAKLEY_KEY_LENGTH = 14,
    OAKLEY_FIELD_SIZE = 15,
    OAKLEY_GROUP_ORDER = 16,
} ikev1_oakley_attr;
typedef enum ikev1_auth_method {
    OAKLEY_PRESHARED_KEY = 1,
    OAKLEY_DSS_SIG = 2,
    OAKLEY_RSA_SIG = 3,
    OAKLEY_RSA_ENC = 4,
    OAKLEY_RSA_ENC_REV = 5,
    OAKLEY_ECDSA_256 = 9,
    OAKLEY_ECDSA_384 = 10,
    OAKLEY_ECDSA_521 = 11,
    OAKLEY_HYBRID_INIT_RSA = 64221,
    OAKLEY_HYBRID_RESP_RSA = 64222,
    OAKLEY_XAUTH_INIT_PSK = 65001,
    OAKLEY_XAUTH_RESP_PSK = 65002,
    OAKLEY_XAUTH_INIT_RSA = 65005,
    OAKLEY_XAUTH_RESP_RSA = 65006,
} ikev1_auth_method;
typedef enum ikev1_ipsec_attr {
    IPSEC_SA_LIFE_TYPE = 1,
    IPSEC_SA_LIFE_DURATION = 2,
    IPSEC_GROUP_DESCRIPTION = 3,
    IPSEC_ENCAPSULATION_MODE = 4,
    IPSEC_AUTH_ALGORITHM = 5,
    IPSEC_KEY_LENGTH = 6,
    IPSEC_KEY_ROUNDS = 7,
    IPSEC_COMPRESS_DICT_SIZE = 8,
    IPSEC_COMPRESS_PRIVATE_ALG = 9,
    IPSEC_ECN_TUNNEL = 10,
    IPSEC_EXT_SEQ = 11,
} ikev1_ipsec_attr;
enum { IKEV1_LIFE_SECONDS = 1, IKEV1_LIFE_KBYTES = 2 };
enum {
    ENCAPS_TUNNEL = 1,
    ENCAPS_TRANSPORT = 2,
    ENCAPS_UDP_TUNNEL = 3,
    ENCAPS_UDP_TRANSPORT = 4,
    ENCAPS_UDP_TUNNEL_DRAFT = 61443,
    ENCAPS_UDP_TRANSPORT_DRAFT = 61444,
};
enum { IPV1_PROTO_ISAKMP = 1, IPV1_PROTO_AH = 2, IPV1_PROTO_ESP = 3, IPV1_PROTO_IPCOMP = 4 };

typedef enum ikev1_notify_type {
    NV1_INVALID_PAYLOAD_TYPE = 1,
    NV1_DOI_NOT_SUPPORTED = 2,
    NV1_SITUATION_NOT_SUPPORTED = 3,
    NV1_INVALID_COOKIE = 4,
    NV1_INVALID_MAJOR_VERSION = 5,
    NV1_INVALID_MINOR_VERSION = 6,
    NV1_INVALID_EXCHANGE_TYPE = 7,
    NV1_INVALID_FLAGS = 8,
    NV1_INVALID_MESSAGE_ID = 9,
    NV1_INVALID_PROTOCOL_ID = 10,
    NV1_INVALID_SPI = 11,
    NV1_INVALID_TRANSFORM_ID = 12,
    NV1_ATTRIBUTES_NOT_SUPPORTED = 13,
    NV1_NO_PROPOSAL_CHOSEN = 14,
    NV1_BAD_PROPOSAL_SYNTAX = 15,
    NV1_PAYLOAD_MALFORMED = 16,
    NV1_INVALID_KEY_INFORMATION = 17,
    NV1_INVALID_ID_INFORMATION = 18,
    NV1_INVALID_CERT_ENCODING = 19,
    NV1_INVALID_CERTIFICATE = 20,
    NV1_CERT_TYPE_UNSUPPORTED = 21,
    NV1_INVALID_CERT_AUTHORITY = 22,
    NV1_INVALID_HASH_INFORMATION = 23,
    NV1_AUTHENTICATION_FAILED = 24,
    NV1_INVALID_SIGNATURE = 25,
    NV1_ADDRESS_NOTIFICATION = 26,
    NV1_NOTIFY_SA_LIFETIME = 27,
    NV1_CERTIFICATE_UNAVAILABLE = 28,
    NV1_UNSUPPORTED_EXCHANGE_TYPE = 29,
    NV1_UNEQUAL_PAYLOAD_LENGTHS = 30,
    NV1_CONNECTED = 16384,
    NV1_RESPONDER_LIFETIME = 24576,
    NV1_REPLAY_STATUS = 24577,
    NV1_INITIAL_CONTACT = 24578,
    NV1_R_U_THERE = 36136,
    NV1_R_U_THERE_ACK = 36137,
    NV1_NHTB_INFORM = 40001,
    NV1_UNITY_LOAD_BALANCE = 40501,
} ikev1_notify_type;

typedef enum ikev1_cfg_type {
    CFGV1_REQUEST = 1,
    CFGV1_REPLY = 2,
    CFGV1_SET = 3,
    CFGV1_ACK = 4
} ikev1_cfg_type;
typedef enum ikev1_cfg_attr { /* 1..25, 23456: as ikev2_cp_attr, but 13 and 15 */
                              XAUTH_TYPE = 16520,
                              XAUTH_USER_NAME = 16521,
                              XAUTH_USER_PASSWORD = 16522,
                              XAUTH_PASSCODE = 16523,
                              XAUTH_MESSAGE = 16524,
                              XAUTH_CHALLENGE = 16525,
                              XAUTH_DOMAIN = 16526,
                              XAUTH_STATUS = 16527,
                              XAUTH_NEXT_PIN = 16528,
                              XAUTH_ANSWER = 16529,
                              UNITY_BANNER = 28672,
                              UNITY_SAVE_PASSWD = 28673,
                              UNITY_DEF_DOMAIN = 28674,
                              UNITY_SPLITDNS_NAME = 28675,
                              UNITY_SPLIT_INCLUDE = 28676,
                              UNITY_NATT_PORT = 28677,
                              UNITY_LOCAL_LAN = 28678,
                              UNITY_PFS = 28679,
                              UNITY_FW_TYPE = 28680,
                              UNITY_BACKUP_SERVERS = 28681,
                              UNITY_DDNS_HOSTNAME = 28682,
} ikev1_cfg_attr;
typedef enum ikev1_cert_encoding {
    CERTV1_NONE = 0,
    CERTV1_PKCS7 = 1,
    CERTV1_PGP = 2,
    CERTV1_DNS = 3,
    CERTV1_X509_SIGNATURE = 4,
    CERTV1_X509_KEY_EXCHANGE = 5,
    CERTV1_KERBEROS = 6,
    CERTV1_CRL = 7,
    CERTV1_ARL = 8,
    CERTV1_SPKI = 9,
    CERTV1_X509_ATTRIBUTE = 10,
} ikev1_cert_encoding;

/* Names as pluto prints them: "ISAKMP_XCHG_IDPROT", "ISAKMP_NEXT_SA", "NO_PROPOSAL_CHOSEN",
 * "OAKLEY_GROUP_DESCRIPTION" */
extern const enum_names ikev1_exchange_names, ikev1_payload_names, ikev1_notify_names,
    ikev1_oakley_attr_names, ikev1_auth_method_names, ikev1_ipsec_attr_names, ikev1_encaps_names,
    ikev1_protocol_names, ikev1_cert_names, ikev1_cfg_type_names, ikev1_cfg_attr_names, ikev1_life_names;

/* ---- payload structures ---- fields in host order */
typedef struct ikev1_transform {
    uint8_t number, id;
    wire_list attrs; /* wire_attr */
} ikev1_transform;
typedef struct ikev1_proposal {
    uint8_t number, proto;
    span spi;
    wire_list transforms; /* ikev1_transform */
} ikev1_proposal;
typedef struct ikev1_sa {
    uint32_t doi, situation;
    wire_list proposals; /* ikev1_proposal; several with one number are one bundle */
} ikev1_sa;
typedef struct ikev1_raw { /* KE, HASH, SIG, NONCE, VID, NAT-D, unknown */
    span data;
} ikev1_raw;
typedef struct ikev1_id {
    uint8_t type, proto;
    uint16_t port;
    span data;
} ikev1_id;
typedef struct ikev1_cert { /* CERT, CR */
    uint8_t encoding;
    span data;
} ikev1_cert;
typedef struct ikev1_notify {
    uint32_t doi;
    uint8_t proto;
    uint16_t type;
    span spi, data;
} ikev1_notify;
typedef struct ikev1_delete {
    uint32_t doi;
    uint8_t proto, spi_size;
    uint16_t count;
    span spis; /* count * spi_size octets, checked */
} ikev1_delete;
typedef struct ikev1_cfg {
    uint8_t type;
    uint16_t id;
    wire_list attrs; /* wire_attr */
} ikev1_cfg;
typedef struct ikev1_natoa {
    uint8_t type;
    span data;
} ikev1_natoa;
typedef struct ikev1_fragment {
    uint16_t id;
    uint8_t number, flags; /* flags bit 0: last */
    span data;
} ikev1_fragment;

typedef struct ikev1_payload {
    uint8_t type;      /* 130, 131 appear as 20, 21 */
    uint8_t wire_type; /* as it was */
    span raw;          /* with the generic header */
    span body;         /* behind the generic header: what SAi_b, ID_b and such are */
    union {
        ikev1_sa sa;
        ikev1_raw ke, hash, sig, nonce, vid, natd, unknown;
        ikev1_id id;
        ikev1_cert cert;
        ikev1_notify notify;
        ikev1_delete del;
        ikev1_cfg cfg;
        ikev1_natoa natoa;
        ikev1_fragment frag;
    };
} ikev1_payload;
/* The table of a payload's body; NULL for an unknown type. */
const wire_table *ikev1_payload_table(uint8_t type);

/* ---- messages ---- */
typedef struct ikev1_header {
    uint8_t icookie[8], rcookie[8];
    uint8_t next;
    uint8_t major, minor;
    uint8_t exchange;
    uint8_t flags;
    uint32_t mid;
    uint32_t length;
} ikev1_header;
/* Needs 28 octets and length <= in.n; surplus: 16 zero octets are tolerated (*surplus), any other is
 * ST_INVALID. ST_UNSUPPORTED: major version is not 1 (h is filled then). surplus may be NULL (= none
 * tolerated). */
status ikev1_parse_header(ikev1_header *h, span in, size_t *surplus) MUST_CHECK;

typedef uint64_t payset1; /* set of payload types */
#define PS1(type) ((payset1)1 << ((type) >= 130 ? (type)-100 : (type)))

typedef struct ikev1_msg {
    ikev1_header h;
    span packet;
    ikev1_payload *p;
    size_t n;
    payset1 present, many; /* PS1 bits; `many`: there more than once */
    uint8_t unknown;       /* unknown payload type (ST_UNSUPPORTED) */
    span after_hash;       /* first payload is HASH: all payloads behind it, without padding */
    arena *mem;
} ikev1_msg;
/* Header and all payloads of a clear message: nothing may follow the last payload. ST_INVALID:
 * PAYLOAD_MALFORMED; ST_UNSUPPORTED: INVALID_PAYLOAD_TYPE (m->unknown) or version; ST_LIMIT. */
status ikev1_parse(ikev1_msg *m, span packet, arena *mem, msgbuf *msg) MUST_CHECK;
/* A decrypted body whose first payload is m->h.next; padding behind the last payload is allowed. */
status ikev1_parse_chain(ikev1_msg *m, span body, bool padded, msgbuf *msg) MUST_CHECK;
const ikev1_payload *ikev1_find(const ikev1_msg *m, uint8_t type); /* first one or NULL */
const ikev1_payload *ikev1_nth(const ikev1_msg *m, uint8_t type, size_t nth);
size_t ikev1_count(const ikev1_msg *m, uint8_t type);
/* ST_INVALID: msg names the payload that is missing, unexpected or doubled. need, may, many: PS1 sets; N, D
 * and VID are allowed everywhere, as pluto always did. */
status ikev1_check(const ikev1_msg *m, payset1 need, payset1 may, payset1 many, msgbuf *msg) MUST_CHECK;
/* All fields, for debugging (parsing, emitting). */
void ikev1_dump(const ikev1_msg *m, buf *out);

/* ---- building ---- */
typedef struct ikev1_builder {
    buf out;
    uint8_t first;
    size_t last; /* where the last payload starts */
    bool failed;
} ikev1_builder; /* zero is a valid empty one */
void ikev1_builder_free(ikev1_builder *b);
void ikev1_builder_reset(ikev1_builder *b);
bool ikev1_builder_ok(const ikev1_builder *b);
/* Octets of the chain from payload start `at` (b->last after an add) to the end, for hashes. */
span ikev1_builder_from(const ikev1_builder *b, size_t at);
/* Body of the payload added last, behind its generic header. */
span ikev1_builder_last_body(const ikev1_builder *b);
void ikev1_add(ikev1_builder *b, uint8_t type,
               const void *payload);                           /* the struct of that type, by its table */
void ikev1_add_raw(ikev1_builder *b, uint8_t type, span body); /* KE, HASH, SIG, NONCE, VID, NAT-D … */
/* Room for a HASH of n octets that is computed later; patch with ikev1_set_hash(). */
void ikev1_add_hash_room(ikev1_builder *b, size_t n);
void ikev1_set_hash(ikev1_builder *b, span hash); /* the first payload must be HASH of that size */
void ikev1_add_id(ikev1_builder *b, uint8_t type, uint8_t proto, uint16_t port, span data);
void ikev1_add_cert(ikev1_builder *b, uint8_t payload_type, uint8_t encoding, span data);
void ikev1_add_notify(ikev1_builder *b, uint32_t doi, uint8_t proto, span spi, uint16_t type, span data);
void ikev1_add_delete(ikev1_builder *b, uint8_t proto, uint8_t spi_size, span spis);
void ikev1_add_cfg(ikev1_builder *b, uint8_t type, uint16_t id, const wire_attr *attrs, size_t n);
/* draft: payload type 131 instead of 21 */
void ikev1_add_natoa(ikev1_builder *b, bool draft, const ip_addr *a);
/* Header and chain, with `pad` zero octets behind it; length and next are computed. For an encrypted message
 * the caller encrypts out's octets from IKEV1_HEADER on. */
status ikev1_emit(const ikev1_header *h, const ikev1_builder *b, size_t pad, buf *out) MUST_CHECK;
/* TV when the value fits 16 bits, else TLV with 4 octets, which are written to room. */
wire_attr ikev1_attr_num(uint16_t type, uint32_t value, uint8_t room[4]);

/* ---- fragments (payload 132) ---- */
/* Is it a message of exactly one fragment payload? */
bool ikev1_is_fragment(const ikev1_msg *m);
/* Reassembly; one per phase-1 SA. Zero is a valid empty one; bounded by IKEV1_MAX_MESSAGE octets. */
typedef struct ikev1_defrag {
    struct ikev1_fragments *f;
} ikev1_defrag;
void ikev1_defrag_reset(ikev1_defrag *d);
/* ST_NEED_MORE: taken or a duplicate; ST_OK: *whole is the complete message (valid until the next call);
 * ST_INVALID, ST_LIMIT: dropped. A new fragment id starts anew. */
status ikev1_defrag_add(ikev1_defrag *d, const ikev1_fragment *f, span *whole, msgbuf *msg) MUST_CHECK;
/* Cuts `message` into datagrams of at most max octets and hands each to fn. */
status ikev1_fragment_each(span message, size_t max, uint16_t id, status (*fn)(void *ctx, span datagram),
                           void *ctx) MUST_CHECK;

/* ---- vendor IDs ---- */
typedef enum vid_kind {
    VID_UNKNOWN,
    VID_OTHER, /* known by name, no meaning for us */
    VID_STRONGSWAN,
    VID_OPENPGP,
    VID_CISCO_UNITY,
    VID_CISCO_VPN3000,
    VID_CISCO_IOS,
    VID_MS_NT5,
    VID_SSH_SENTINEL,
    VID_MACOSX,
    VID_XAUTH,
    VID_DPD,
    VID_FRAGMENTATION,
    VID_INITIAL_CONTACT,
    VID_NATT_00, /* in the order of pluto's preference, worst first */
    VID_NATT_02_N,
    VID_NATT_02,
    VID_NATT_03,
    VID_NATT_RFC,
} vid_kind;
typedef struct vid_info {
    vid_kind kind;
    const char *name; /* "Dead Peer Detection"; NULL when unknown */
    span match;
    bool prefix; /* octets may follow `match` */
} vid_info;
/* Never NULL: unknown ones give an entry of VID_UNKNOWN. */
const vid_info *vid_find(span vid);
/* The octets to send for a kind (VID_XAUTH, VID_DPD, VID_NATT_*, VID_CISCO_UNITY, VID_FRAGMENTATION,
 * VID_STRONGSWAN, …). */
span vid_octets(vid_kind kind);
/* "Dead Peer Detection", with version octets where known, or the hex of at most 32 octets; for "[…]" in log
 * lines. */
char *vid_text(span vid, char *dst, size_t size);
