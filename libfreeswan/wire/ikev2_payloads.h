/* IKEv2 on the wire: header, payloads, messages, SK and SKF.   RFC 7296 2.5, 3; RFC 7383;
 * draft-brunner-ikev2-mediation
 *
 * Receiving: ikev2_parse() reads header and outer payloads into an ikev2_msg whose memory is an arena of the
 * caller; ikev2_open() (or ikev2_open_fragment()) authenticates and decrypts SK and appends the inner
 * payloads; ikev2_check() compares what is there with a row of payload sets before any handler runs. Spans
 * point into the packet or the arena.
 *
 * Sending: builders collect payload chains; ikev2_emit() makes a clear message, ikev2_seal() one or several
 * encrypted datagrams. Builder calls never fail one by one: a failure sticks and is reported by emit/seal.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libfreeswan/proposal/proposal.h"
#include "libfreeswan/wire/wire.h"
#include "libstrongswan/crypto/crypto.h"

/* ---- limits and numbers ---- */
enum {
    IKEV2_HEADER = 28,
    IKEV2_GENERIC = 4,          /* generic payload header */
    IKEV2_MAX_PAYLOADS = 128,   /* of one message, inner and outer */
    IKEV2_MAX_MESSAGE = 65535,  /* octets, reassembled too */
    IKEV2_MAX_FRAGMENTS = 64,   /* of one message, both directions */
    IKEV2_MIN_FRAGMENT = 256,   /* smallest datagram we cut to */
    IKEV2_MAX_TS = 64,          /* selectors read from one payload */
    IKEV2_ARENA_LIMIT = 1 << 20 /* for arena_init() of a message */
};
typedef enum ikev2_exchange {
    IKE_SA_INIT = 34,
    IKE_AUTH = 35,
    CREATE_CHILD_SA = 36,
    INFORMATIONAL = 37,
    IKE_INTERMEDIATE = 43,
    ME_CONNECT = 240,
} ikev2_exchange;
enum { IKEV2_FLAG_INITIATOR = 0x08, IKEV2_FLAG_VERSION = 0x10, IKEV2_FLAG_RESPONSE = 0x20 };

typedef enum ikev2_payload_type {
    PLV2_NONE = 0,
    PLV2_SA = 33,
    PLV2_KE = 34,
    PLV2_IDI = 35,
    PLV2_IDR = 36,
    PLV2_CERT = 37,
    PLV2_CERTREQ = 38,
    PLV2_AUTH = 39,
    PLV2_NONCE = 40,
    PLV2_NOTIFY = 41,
    PLV2_DELETE = 42,
    PLV2_VENDOR = 43,
    PLV2_TSI = 44,
    PLV2_TSR = 45,
    PLV2_SK = 46,
    PLV2_CP = 47,
    PLV2_EAP = 48,
    PLV2_SKF = 53,
    PLV2_IDP = 128, /* ID_PEER of the mediation extension */
} ikev2_payload_type;

typedef enum ikev2_notify_type {
    N_UNSUPPORTED_CRITICAL_PAYLOAD = 1,
    N_INVALID_IKE_SPI = 4,
    N_INVALID_MAJOR_VERSION = 5,
    N_INVALID_SYNTAX = 7,
    N_INVALID_MESSAGE_ID = 9,
    N_INVALID_SPI = 11,
    N_NO_PROPOSAL_CHOSEN = 14,
    N_INVALID_KE_PAYLOAD = 17,
    N_AUTHENTICATION_FAILED = 24,
    N_SINGLE_PAIR_REQUIRED = 34,
    N_NO_ADDITIONAL_SAS = 35,
    N_INTERNAL_ADDRESS_FAILURE = 36,
    N_FAILED_CP_REQUIRED = 37,
    N_TS_UNACCEPTABLE = 38,
    N_INVALID_SELECTORS = 39,
    N_UNACCEPTABLE_ADDRESSES = 40,
    N_UNEXPECTED_NAT_DETECTED = 41,
    N_USE_ASSIGNED_HOA = 42,
    N_TEMPORARY_FAILURE = 43,
    N_CHILD_SA_NOT_FOUND = 44,
    N_ME_CONNECT_FAILED = 8192,
    N_INITIAL_CONTACT = 16384, /* from here on: status, not errors */
    N_SET_WINDOW_SIZE = 16385,
    N_ADDITIONAL_TS_POSSIBLE = 16386,
    N_IPCOMP_SUPPORTED = 16387,
    N_NAT_DETECTION_SOURCE_IP = 16388,
    N_NAT_DETECTION_DESTINATION_IP = 16389,
    N_COOKIE = 16390,
    N_USE_TRANSPORT_MODE = 16391,
    N_HTTP_CERT_LOOKUP_SUPPORTED = 16392,
    N_REKEY_SA = 16393,
    N_ESP_TFC_PADDING_NOT_SUPPORTED = 16394,
    N_NON_FIRST_FRAGMENTS_ALSO = 16395,
    N_MOBIKE_SUPPORTED = 16396,
    N_ADDITIONAL_IP4_ADDRESS = 16397,
    N_ADDITIONAL_IP6_ADDRESS = 16398,
    N_NO_ADDITIONAL_ADDRESSES = 16399,
    N_UPDATE_SA_ADDRESSES = 16400,
    N_COOKIE2 = 16401,
    N_NO_NATS_ALLOWED = 16402,
    N_AUTH_LIFETIME = 16403,
    N_MULTIPLE_AUTH_SUPPORTED = 16404,
    N_ANOTHER_AUTH_FOLLOWS = 16405,
    N_REDIRECT_SUPPORTED = 16406,
    N_REDIRECT = 16407,
    N_REDIRECTED_FROM = 16408,
    N_TICKET_LT_OPAQUE = 16409,
    N_TICKET_REQUEST = 16410,
    N_TICKET_ACK = 16411,
    N_TICKET_NACK = 16412,
    N_TICKET_OPAQUE = 16413,
    N_LINK_ID = 16414,
    N_USE_WESP_MODE = 16415,
    N_ROHC_SUPPORTED = 16416,
    N_EAP_ONLY_AUTHENTICATION = 16417,
    N_CHILDLESS_IKEV2_SUPPORTED = 16418,
    N_QUICK_CRASH_DETECTION = 16419,
    N_IKEV2_MESSAGE_ID_SYNC_SUPPORTED = 16420,
    N_IKEV2_MESSAGE_ID_SYNC = 16422,
    N_IKEV2_FRAGMENTATION_SUPPORTED = 16430,
    N_SIGNATURE_HASH_ALGORITHMS = 16431,
    N_INTERMEDIATE_EXCHANGE_SUPPORTED = 16438,
    N_USE_BEET_MODE = 40961, /* private */
    N_ME_MEDIATION = 40962,
    N_ME_ENDPOINT = 40963,
    N_ME_CALLBACK = 40964,
    N_ME_CONNECTID = 40965,
    N_ME_CONNECTKEY = 40966,
    N_ME_CONNECTAUTH = 40967,
    N_ME_RESPONSE = 40968,
} ikev2_notify_type;
static inline bool ikev2_notify_is_error(uint16_t type)
{
    return type < 16384;
}

typedef enum ikev2_auth_method {
    AUTHM_RSA = 1,
    AUTHM_PSK = 2,
    AUTHM_DSS = 3,
    AUTHM_ECDSA_256 = 9,
    AUTHM_ECDSA_384 = 10,
    AUTHM_ECDSA_521 = 11,
    AUTHM_NULL = 13,
    AUTHM_SIGNATURE = 14, /* RFC 7427 */
} ikev2_auth_method;
typedef enum ikev2_cert_encoding {
    CERT_PKCS7 = 1,
    CERT_PGP = 2,
    CERT_X509 = 4,
    CERT_CRL = 7,
    CERT_X509_ATTR = 10,
    CERT_RAW_RSA = 11,
    CERT_HASH_URL = 12,
    CERT_HASH_URL_BUNDLE = 13,
} ikev2_cert_encoding;
typedef enum ikev2_cp_type { CP_REQUEST = 1, CP_REPLY = 2, CP_SET = 3, CP_ACK = 4 } ikev2_cp_type;
typedef enum ikev2_cp_attr {
    CPA_IP4_ADDRESS = 1,
    CPA_IP4_NETMASK = 2,
    CPA_IP4_DNS = 3,
    CPA_IP4_NBNS = 4,
    CPA_ADDRESS_EXPIRY = 5,
    CPA_IP4_DHCP = 6,
    CPA_APPLICATION_VERSION = 7,
    CPA_IP6_ADDRESS = 8,
    CPA_IP6_NETMASK = 9,
    CPA_IP6_DNS = 10,
    CPA_IP6_NBNS = 11,
    CPA_IP6_DHCP = 12,
    CPA_IP4_SUBNET = 13,
    CPA_SUPPORTED_ATTRIBUTES = 14,
    CPA_IP6_SUBNET = 15,
    CPA_DNS_DOMAIN = 25,
    CPA_IP4_SERVER = 23456,
    CPA_IP6_SERVER = 23457,
} ikev2_cp_attr;

extern const enum_names ikev2_exchange_names;     /* "IKE_SA_INIT" */
extern const enum_names ikev2_payload_names;      /* short, as in the message trace: "SA", "No", "IDi" */
extern const enum_names ikev2_notify_names;       /* "NO_PROPOSAL_CHOSEN" */
extern const enum_names ikev2_notify_short_names; /* "NO_PROP" */
extern const enum_names ikev2_auth_method_names, ikev2_cert_names, ikev2_cp_type_names, ikev2_cp_attr_names;

/* ---- payload structures ---- fields in host order */
typedef struct ikev2_transform {
    uint8_t type;
    uint16_t id;
    wire_list attrs; /* wire_attr; 14 = KEY_LENGTH */
} ikev2_transform;
typedef struct ikev2_proposal {
    uint8_t number, proto;
    span spi;
    wire_list transforms; /* ikev2_transform */
} ikev2_proposal;
typedef struct ikev2_sa {
    wire_list proposals; /* ikev2_proposal */
} ikev2_sa;
typedef struct ikev2_ke {
    uint16_t group;
    span data;
} ikev2_ke;
typedef struct ikev2_id { /* IDi, IDr, IDp */
    uint8_t type;
    span data;
} ikev2_id;
typedef struct ikev2_cert { /* CERT, CERTREQ */
    uint8_t encoding;
    span data;
} ikev2_cert;
typedef struct ikev2_auth {
    uint8_t method;
    span data;
} ikev2_auth;
typedef struct ikev2_notify {
    uint8_t proto;
    uint16_t type;
    span spi, data;
} ikev2_notify;
typedef struct ikev2_delete {
    uint8_t proto, spi_size;
    uint16_t count;
    span spis; /* count * spi_size octets, checked */
} ikev2_delete;
typedef struct ikev2_ts_item {
    uint8_t type, proto;
    uint16_t from_port, to_port;
    span addrs;
} ikev2_ts_item;
typedef struct ikev2_ts {
    wire_list items; /* ikev2_ts_item */
} ikev2_ts;
typedef struct ikev2_cp_item {
    uint16_t type;
    span value;
} ikev2_cp_item;
typedef struct ikev2_cp {
    uint8_t type;
    wire_list items; /* ikev2_cp_item */
} ikev2_cp;
typedef struct ikev2_eap {
    uint8_t code, id;
    span data; /* behind the length: type and type data; the whole packet is the payload's body */
} ikev2_eap;
typedef struct ikev2_raw { /* No, V, unknown payloads */
    span data;
} ikev2_raw;
typedef struct ikev2_skf {
    uint16_t number, total;
    span data;
} ikev2_skf;

typedef struct ikev2_payload {
    uint8_t type;
    bool critical, encrypted;
    span raw;  /* with the generic header */
    span body; /* behind the generic header */
    union {
        ikev2_sa sa;
        ikev2_ke ke;
        ikev2_id id;
        ikev2_cert cert;
        ikev2_auth auth;
        ikev2_raw nonce;
        ikev2_raw vendor;
        ikev2_notify notify;
        ikev2_delete del;
        ikev2_ts ts;
        ikev2_cp cp;
        ikev2_eap eap;
        ikev2_skf skf;
        ikev2_raw unknown;
    };
} ikev2_payload;
/* The table of a payload's body; NULL for an unknown type. */
const wire_table *ikev2_payload_table(uint8_t type);

/* ---- messages ---- */
typedef struct ikev2_header {
    uint64_t spi_i, spi_r;
    uint8_t next;
    uint8_t major, minor;
    uint8_t exchange;
    uint8_t flags;
    uint32_t mid;
    uint32_t length;
} ikev2_header;
static inline bool ikev2_is_response(const ikev2_header *h)
{
    return (h->flags & IKEV2_FLAG_RESPONSE) != 0;
}
/* Only the header; needs 28 octets and length == in.n. ST_UNSUPPORTED: major version above 2 (h is filled
 * then). */
status ikev2_parse_header(ikev2_header *h, span in) MUST_CHECK;

typedef uint64_t payset; /* set of payload types */
#define PS2(type) ((payset)1 << ((type) == PLV2_IDP ? 62 : (type)-PLV2_SA))
#define PS2_OTHER ((payset)1 << 63) /* unknown, not critical */

typedef struct ikev2_msg {
    ikev2_header h;
    span packet;
    ikev2_payload *p; /* outer ones, then inner ones; may move when inner ones are added */
    size_t n, cap;
    payset clear, enc;           /* what is there */
    payset many_clear, many_enc; /* what is there more than once */
    uint8_t critical;            /* unknown critical payload: its type (ST_UNSUPPORTED) */
    ikev2_payload *sk;           /* SK or SKF, always the last outer one; NULL */
    uint8_t sk_first;            /* type of the first inner payload */
    bool opened;                 /* the inner payloads were decrypted */
    arena *mem;
} ikev2_msg;
/* Header and outer payloads. ST_INVALID: malformed (INVALID_SYNTAX), ST_UNSUPPORTED: m->critical or version,
 * ST_LIMIT. */
status ikev2_parse(ikev2_msg *m, span packet, arena *mem, msgbuf *msg) MUST_CHECK;
/* A bare chain (for tests and for SK's contents): appends to m. */
status ikev2_parse_chain(ikev2_msg *m, uint8_t first, span in, bool encrypted, msgbuf *msg) MUST_CHECK;
/* First payload of a type, inner or outer; NULL if there is none. */
const ikev2_payload *ikev2_find(const ikev2_msg *m, uint8_t type);
const ikev2_payload *ikev2_nth(const ikev2_msg *m, uint8_t type, size_t nth);
const ikev2_notify *ikev2_find_notify(const ikev2_msg *m, uint16_t type);
const ikev2_notify *ikev2_nth_notify(const ikev2_msg *m, uint16_t type, size_t nth);
/* First error notify; NULL if there is none. */
const ikev2_notify *ikev2_find_error(const ikev2_msg *m);
const ikev2_cp_item *ikev2_cp_find(const ikev2_cp *cp, uint16_t type);
/* "IKE_SA_INIT request 0 [ SA KE No N(NATD_S_IP) N(NATD_D_IP) ]"; the log puts "parsed " before it. */
void ikev2_summary(const ikev2_msg *m, buf *out);
/* All fields, for ENC level 3. */
void ikev2_dump(const ikev2_msg *m, buf *out);

/* ---- what may be in a message ---- */
typedef struct ikev2_rule {
    uint8_t exchange;
    bool response;
    const char *story; /* which stage, for documentation: "first", "EAP round", … */
    payset need_clear, may_clear, need_enc, may_enc;
    payset many; /* may come more than once */
} ikev2_rule;
// clang-format off
enum ikev2_rule_index {
    RULE_INIT_REQUEST, RULE_INIT_RESPONSE, RULE_INIT_REFUSAL, /* only notifies */
    RULE_AUTH_REQUEST, RULE_AUTH_REQUEST_EAP, RULE_AUTH_REQUEST_LAST, /* first; EAP rounds; AUTH after EAP */
    RULE_AUTH_RESPONSE, RULE_AUTH_RESPONSE_EAP, RULE_AUTH_RESPONSE_LAST,
    RULE_AUTH_ME_REQUEST, RULE_AUTH_ME_RESPONSE, /* mediation connection: no SA, TSi, TSr */
    RULE_CHILD_REQUEST, RULE_CHILD_RESPONSE, RULE_INFO_REQUEST, RULE_INFO_RESPONSE, RULE_INFO_CHECK, /* clear, mediation */
    RULE_ME_REQUEST, RULE_ME_RESPONSE, RULE_COUNT
};
// clang-format on
extern const ikev2_rule ikev2_rules[RULE_COUNT];
/* ST_INVALID: msg names the payload and says missing, doubled, unexpected, in clear. Notifies and vendor IDs
 * may come many times wherever they may come. Responses that hold an error notify need nothing else. */
status ikev2_check(const ikev2_msg *m, const ikev2_rule *rule, msgbuf *msg) MUST_CHECK;

/* ---- conversions ---- */
/* Transforms with unknown attributes become algorithm 65535, which matches nothing. Proposals of unknown
 * protocols, with unknown transform types and those beyond PROPOSALS_MAX are ignored. ST_INVALID: no usable
 * one, or an SPI that is reserved or of the wrong size for its protocol. */
status ikev2_sa_get(const ikev2_sa *sa, proposals *out, msgbuf *msg) MUST_CHECK;
/* At most max selectors; unknown types are skipped. ST_INVALID: start > end, families, lengths; ST_NOT_FOUND:
 * none left. */
status ikev2_ts_get(const ikev2_ts *ts, traffic_sel *out, size_t max, size_t *n, msgbuf *msg) MUST_CHECK;
/* i-th SPI of a Delete with 4-octet SPIs */
static inline uint32_t ikev2_delete_spi(const ikev2_delete *d, size_t i)
{
    return d->spi_size == 4 && i < d->count ? get_u32(d->spis.p + 4 * i) : 0;
}

/* ---- building ---- */
typedef struct ikev2_builder {
    buf out;       /* the chain so far */
    uint8_t first; /* type of its first payload */
    size_t last;   /* where the last one starts */
    bool failed;
} ikev2_builder; /* zero is a valid empty one */
void ikev2_builder_free(ikev2_builder *b);
void ikev2_builder_reset(ikev2_builder *b);
bool ikev2_builder_ok(const ikev2_builder *b);
void ikev2_add(ikev2_builder *b, uint8_t type,
               const void *payload); /* the struct of that type, by its table */
void ikev2_add_sa(ikev2_builder *b, const proposals *p);
void ikev2_add_proposal(ikev2_builder *b, const proposal *p); /* SA with one */
void ikev2_add_ke(ikev2_builder *b, uint16_t group, span data);
void ikev2_add_id(ikev2_builder *b, uint8_t payload_type, uint8_t id_type, span data);
void ikev2_add_cert(ikev2_builder *b, uint8_t encoding, span data);
void ikev2_add_certreq(ikev2_builder *b, uint8_t encoding, span hashes);
void ikev2_add_auth(ikev2_builder *b, uint8_t method, span data);
void ikev2_add_nonce(ikev2_builder *b, span nonce);
void ikev2_add_notify(ikev2_builder *b, uint16_t type, span data); /* protocol 0, no SPI */
void ikev2_add_notify_spi(ikev2_builder *b, uint16_t type, uint8_t proto, span spi, span data);
void ikev2_add_delete_ike(ikev2_builder *b);
void ikev2_add_delete(ikev2_builder *b, uint8_t proto, const uint32_t *spis, size_t n);
void ikev2_add_vendor(ikev2_builder *b, span vid);
void ikev2_add_ts(ikev2_builder *b, uint8_t payload_type, const traffic_sel *ts, size_t n);
void ikev2_add_cp(ikev2_builder *b, uint8_t cp_type, const ikev2_cp_item *items, size_t n);
void ikev2_add_eap(ikev2_builder *b, span packet);
void ikev2_add_raw(ikev2_builder *b, uint8_t type, bool critical, span body);
/* The same line for "generating ": payloads of clear, then of enc; either may be NULL. */
void ikev2_builder_summary(const ikev2_header *h, const ikev2_builder *clear, const ikev2_builder *enc,
                           buf *out);

/* A clear message. h->next and h->length are computed. */
status ikev2_emit(const ikev2_header *h, const ikev2_builder *b, buf *out) MUST_CHECK;

/* ---- SK and SKF ---- */
/* One direction's keys. Borrowed objects; iv_next counts for AEAD and CTR, so a cipher belongs to one thread
 * at a time. */
typedef struct ikev2_cipher {
    const crypto *crypto; /* random IVs for CBC */
    encr_alg encr;
    integ_alg integ; /* INTEG_NONE with an AEAD */
    aead *aead;      /* or crypter and signer */
    crypter *crypter;
    signer *signer;
    uint64_t iv_next;
} ikev2_cipher;
/* The datagrams of one message; kept for retransmission. Zero is a valid empty one. */
typedef struct ikev2_packets {
    buf bytes;
    size_t n;
    uint32_t end[IKEV2_MAX_FRAGMENTS];
} ikev2_packets;
span ikev2_packet_at(const ikev2_packets *p, size_t i);
void ikev2_packets_free(ikev2_packets *p);
/* clear (may be NULL) precedes SK. A message larger than max_datagram (octets of UDP payload; 0 = never cut)
 * becomes SKF datagrams, unless it has clear payloads. */
status ikev2_seal(const ikev2_header *h, const ikev2_builder *clear, const ikev2_builder *enc,
                  ikev2_cipher *c, size_t max_datagram, ikev2_packets *out) MUST_CHECK;
/* Verifies and decrypts m->sk (which must be SK), appends the inner payloads. ST_CRYPTO: not authentic: drop
 * the packet without any other effect. ST_INVALID, ST_UNSUPPORTED: authentic but malformed: answer with a
 * notify. */
status ikev2_open(ikev2_msg *m, ikev2_cipher *c, msgbuf *msg) MUST_CHECK;

/* Reassembly; one per direction of exchange of an IKE_SA. Zero is a valid empty one. Memory is bounded by
 * IKEV2_MAX_MESSAGE octets. */
typedef struct ikev2_defrag {
    struct ikev2_fragments *f; /* allocated with the first fragment */
} ikev2_defrag;
void ikev2_defrag_reset(ikev2_defrag *d);
/* For m->sk of type SKF: ST_NEED_MORE: taken, or a duplicate; ST_OK: complete, m has the inner payloads of
 * the whole message; ST_CRYPTO, ST_INVALID (number 0 or above total, total 0, shrinking total: dropped),
 * ST_LIMIT. */
status ikev2_open_fragment(ikev2_defrag *d, ikev2_msg *m, ikev2_cipher *c, msgbuf *msg) MUST_CHECK;
