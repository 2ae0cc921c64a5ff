/* Names of IKEv2's numbers: the long ones of the RFCs for sentences, the short ones of the message trace. */
#include "libfreeswan/wire/ikev2_payloads.h"

// clang-format off
ENUM_NAMES(ikev2_exchange_names,
    {IKE_SA_INIT, "IKE_SA_INIT"}, {IKE_AUTH, "IKE_AUTH"}, {CREATE_CHILD_SA, "CREATE_CHILD_SA"},
    {INFORMATIONAL, "INFORMATIONAL"}, {38, "IKE_SESSION_RESUME"}, {IKE_INTERMEDIATE, "IKE_INTERMEDIATE"},
    {ME_CONNECT, "ME_CONNECT"});

ENUM_NAMES(ikev2_payload_names,
    {PLV2_SA, "SA"}, {PLV2_KE, "KE"}, {PLV2_IDI, "IDi"}, {PLV2_IDR, "IDr"}, {PLV2_CERT, "CERT"},
    {PLV2_CERTREQ, "CERTREQ"}, {PLV2_AUTH, "AUTH"}, {PLV2_NONCE, "No"}, {PLV2_NOTIFY, "N"}, {PLV2_DELETE, "D"},
    {PLV2_VENDOR, "V"}, {PLV2_TSI, "TSi"}, {PLV2_TSR, "TSr"}, {PLV2_SK, "E"}, {PLV2_CP, "CP"}, {PLV2_EAP, "EAP"},
    {PLV2_SKF, "EF"}, {PLV2_IDP, "IDp"});

/* number, long name, short name */
#define NOTIFIES(X) \
    X(N_UNSUPPORTED_CRITICAL_PAYLOAD,    "UNSUPPORTED_CRITICAL_PAYLOAD",    "CRIT") \
    X(N_INVALID_IKE_SPI,                 "INVALID_IKE_SPI",                 "INVAL_IKE_SPI") \
    X(N_INVALID_MAJOR_VERSION,           "INVALID_MAJOR_VERSION",           "INVAL_MAJOR") \
    X(N_INVALID_SYNTAX,                  "INVALID_SYNTAX",                  "INVAL_SYN") \
    X(N_INVALID_MESSAGE_ID,              "INVALID_MESSAGE_ID",              "INVAL_MID") \
    X(N_INVALID_SPI,                     "INVALID_SPI",                     "INVAL_SPI") \
    X(N_NO_PROPOSAL_CHOSEN,              "NO_PROPOSAL_CHOSEN",              "NO_PROP") \
    X(N_INVALID_KE_PAYLOAD,              "INVALID_KE_PAYLOAD",              "INVAL_KE") \
    X(N_AUTHENTICATION_FAILED,           "AUTHENTICATION_FAILED",           "AUTH_FAILED") \
    X(N_SINGLE_PAIR_REQUIRED,            "SINGLE_PAIR_REQUIRED",            "SINGLE_PAIR") \
    X(N_NO_ADDITIONAL_SAS,               "NO_ADDITIONAL_SAS",               "NO_ADD_SAS") \
    X(N_INTERNAL_ADDRESS_FAILURE,        "INTERNAL_ADDRESS_FAILURE",        "INT_ADDR_FAIL") \
    X(N_FAILED_CP_REQUIRED,              "FAILED_CP_REQUIRED",              "FAIL_CP_REQ") \
    X(N_TS_UNACCEPTABLE,                 "TS_UNACCEPTABLE",                 "TS_UNACCEPT") \
    X(N_INVALID_SELECTORS,               "INVALID_SELECTORS",               "INVAL_SEL") \
    X(N_UNACCEPTABLE_ADDRESSES,          "UNACCEPTABLE_ADDRESSES",          "UNACCEPT_ADDR") \
    X(N_UNEXPECTED_NAT_DETECTED,         "UNEXPECTED_NAT_DETECTED",         "UNEXPECT_NAT") \
    X(N_USE_ASSIGNED_HOA,                "USE_ASSIGNED_HoA",                "ASSIGNED_HoA") \
    X(N_TEMPORARY_FAILURE,               "TEMPORARY_FAILURE",               "TEMP_FAIL") \
    X(N_CHILD_SA_NOT_FOUND,              "CHILD_SA_NOT_FOUND",              "NO_CHILD_SA") \
    X(N_ME_CONNECT_FAILED,               "ME_CONNECT_FAILED",               "ME_CONN_FAIL") \
    X(N_INITIAL_CONTACT,                 "INITIAL_CONTACT",                 "INIT_CONTACT") \
    X(N_SET_WINDOW_SIZE,                 "SET_WINDOW_SIZE",                 "SET_WINSIZE") \
    X(N_ADDITIONAL_TS_POSSIBLE,          "ADDITIONAL_TS_POSSIBLE",          "ADD_TS_POSS") \
    X(N_IPCOMP_SUPPORTED,                "IPCOMP_SUPPORTED",                "IPCOMP_SUPP") \
    X(N_NAT_DETECTION_SOURCE_IP,         "NAT_DETECTION_SOURCE_IP",         "NATD_S_IP") \
    X(N_NAT_DETECTION_DESTINATION_IP,    "NAT_DETECTION_DESTINATION_IP",    "NATD_D_IP") \
    X(N_COOKIE,                          "COOKIE",                          "COOKIE") \
    X(N_USE_TRANSPORT_MODE,              "USE_TRANSPORT_MODE",              "USE_TRANSP") \
    X(N_HTTP_CERT_LOOKUP_SUPPORTED,      "HTTP_CERT_LOOKUP_SUPPORTED",      "HTTP_CERT_LOOK") \
    X(N_REKEY_SA,                        "REKEY_SA",                        "REKEY_SA") \
    X(N_ESP_TFC_PADDING_NOT_SUPPORTED,   "ESP_TFC_PADDING_NOT_SUPPORTED",   "ESP_TFC_PAD_N") \
    X(N_NON_FIRST_FRAGMENTS_ALSO,        "NON_FIRST_FRAGMENTS_ALSO",        "NON_FIRST_FRAG") \
    X(N_MOBIKE_SUPPORTED,                "MOBIKE_SUPPORTED",                "MOBIKE_SUP") \
    X(N_ADDITIONAL_IP4_ADDRESS,          "ADDITIONAL_IP4_ADDRESS",          "ADD_4_ADDR") \
    X(N_ADDITIONAL_IP6_ADDRESS,          "ADDITIONAL_IP6_ADDRESS",          "ADD_6_ADDR") \
    X(N_NO_ADDITIONAL_ADDRESSES,         "NO_ADDITIONAL_ADDRESSES",         "NO_ADD_ADDR") \
    X(N_UPDATE_SA_ADDRESSES,             "UPDATE_SA_ADDRESSES",             "UPD_SA_ADDR") \
    X(N_COOKIE2,                         "COOKIE2",                         "COOKIE2") \
    X(N_NO_NATS_ALLOWED,                 "NO_NATS_ALLOWED",                 "NO_NATS") \
    X(N_AUTH_LIFETIME,                   "AUTH_LIFETIME",                   "AUTH_LFT") \
    X(N_MULTIPLE_AUTH_SUPPORTED,         "MULTIPLE_AUTH_SUPPORTED",         "MULT_AUTH") \
    X(N_ANOTHER_AUTH_FOLLOWS,            "ANOTHER_AUTH_FOLLOWS",            "AUTH_FOLLOWS") \
    X(N_REDIRECT_SUPPORTED,              "REDIRECT_SUPPORTED",              "REDIR_SUP") \
    X(N_REDIRECT,                        "REDIRECT",                        "REDIR") \
    X(N_REDIRECTED_FROM,                 "REDIRECTED_FROM",                 "REDIR_FROM") \
    X(N_TICKET_LT_OPAQUE,                "TICKET_LT_OPAQUE",                "TKT_LT_OPAK") \
    X(N_TICKET_REQUEST,                  "TICKET_REQUEST",                  "TKT_REQ") \
    X(N_TICKET_ACK,                      "TICKET_ACK",                      "TKT_ACK") \
    X(N_TICKET_NACK,                     "TICKET_NACK",                     "TKT_NACK") \
    X(N_TICKET_OPAQUE,                   "TICKET_OPAQUE",                   "TKT_OPAK") \
    X(N_LINK_ID,                         "LINK_ID",                         "LINK_ID") \
    X(N_USE_WESP_MODE,                   "USE_WESP_MODE",                   "WESP_MODE") \
    X(N_ROHC_SUPPORTED,                  "ROHC_SUPPORTED",                  "ROHC_SUPP") \
    X(N_EAP_ONLY_AUTHENTICATION,         "EAP_ONLY_AUTHENTICATION",         "EAP_ONLY") \
    X(N_CHILDLESS_IKEV2_SUPPORTED,       "CHILDLESS_IKEV2_SUPPORTED",       "CHDLESS_SUP") \
    X(N_QUICK_CRASH_DETECTION,           "QUICK_CRASH_DETECTION",           "CRASH_DET") \
    X(N_IKEV2_MESSAGE_ID_SYNC_SUPPORTED, "IKEV2_MESSAGE_ID_SYNC_SUPPORTED", "MSG_ID_SYN_SUP") \
    X(N_IKEV2_MESSAGE_ID_SYNC,           "IKEV2_MESSAGE_ID_SYNC",           "MSG_ID_SYN") \
    X(N_IKEV2_FRAGMENTATION_SUPPORTED,   "IKEV2_FRAGMENTATION_SUPPORTED",   "FRAG_SUP") \
    X(N_SIGNATURE_HASH_ALGORITHMS,       "SIGNATURE_HASH_ALGORITHMS",       "HASH_ALG") \
    X(N_INTERMEDIATE_EXCHANGE_SUPPORTED, "INTERMEDIATE_EXCHANGE_SUPPORTED", "INTERMED_SUP") \
    X(N_USE_BEET_MODE,                   "USE_BEET_MODE",                   "BEET_MODE") \
    X(N_ME_MEDIATION,                    "ME_MEDIATION",                    "ME_MED") \
    X(N_ME_ENDPOINT,                     "ME_ENDPOINT",                     "ME_EP") \
    X(N_ME_CALLBACK,                     "ME_CALLBACK",                     "ME_CB") \
    X(N_ME_CONNECTID,                    "ME_CONNECTID",                    "ME_CID") \
    X(N_ME_CONNECTKEY,                   "ME_CONNECTKEY",                   "ME_CKEY") \
    X(N_ME_CONNECTAUTH,                  "ME_CONNECTAUTH",                  "ME_CAUTH") \
    X(N_ME_RESPONSE,                     "ME_RESPONSE",                     "ME_R")

#define X(value, long_name, short_name) {value, long_name},
ENUM_NAMES(ikev2_notify_names, NOTIFIES(X));
#undef X
#define X(value, long_name, short_name) {value, short_name},
ENUM_NAMES(ikev2_notify_short_names, NOTIFIES(X));
#undef X

ENUM_NAMES(ikev2_auth_method_names,
    {AUTHM_RSA, "RSA signature"}, {AUTHM_PSK, "pre-shared key"}, {AUTHM_DSS, "DSS signature"},
    {AUTHM_ECDSA_256, "ECDSA-256 signature"}, {AUTHM_ECDSA_384, "ECDSA-384 signature"},
    {AUTHM_ECDSA_521, "ECDSA-521 signature"}, {AUTHM_NULL, "NULL"}, {AUTHM_SIGNATURE, "digital signature"});

ENUM_NAMES(ikev2_cert_names,
    {CERT_PKCS7, "PKCS7"}, {CERT_PGP, "PGP"}, {3, "DNS_KEY"}, {CERT_X509, "X509"}, {6, "KERBEROS"}, {CERT_CRL, "CRL"},
    {8, "ARL"}, {9, "SPKI"}, {CERT_X509_ATTR, "X509_ATTR"}, {CERT_RAW_RSA, "RAW_RSA"},
    {CERT_HASH_URL, "HASH_AND_URL"}, {CERT_HASH_URL_BUNDLE, "HASH_AND_URL_BUNDLE"});

ENUM_NAMES(ikev2_cp_type_names,
    {CP_REQUEST, "CFG_REQUEST"}, {CP_REPLY, "CFG_REPLY"}, {CP_SET, "CFG_SET"}, {CP_ACK, "CFG_ACK"});

ENUM_NAMES(ikev2_cp_attr_names,
    {CPA_IP4_ADDRESS, "INTERNAL_IP4_ADDRESS"}, {CPA_IP4_NETMASK, "INTERNAL_IP4_NETMASK"},
    {CPA_IP4_DNS, "INTERNAL_IP4_DNS"}, {CPA_IP4_NBNS, "INTERNAL_IP4_NBNS"},
    {CPA_ADDRESS_EXPIRY, "INTERNAL_ADDRESS_EXPIRY"}, {CPA_IP4_DHCP, "INTERNAL_IP4_DHCP"},
    {CPA_APPLICATION_VERSION, "APPLICATION_VERSION"}, {CPA_IP6_ADDRESS, "INTERNAL_IP6_ADDRESS"},
    {CPA_IP6_NETMASK, "INTERNAL_IP6_NETMASK"}, {CPA_IP6_DNS, "INTERNAL_IP6_DNS"},
    {CPA_IP6_NBNS, "INTERNAL_IP6_NBNS"}, {CPA_IP6_DHCP, "INTERNAL_IP6_DHCP"}, {CPA_IP4_SUBNET, "INTERNAL_IP4_SUBNET"},
    {CPA_SUPPORTED_ATTRIBUTES, "SUPPORTED_ATTRIBUTES"}, {CPA_IP6_SUBNET, "INTERNAL_IP6_SUBNET"},
    {CPA_DNS_DOMAIN, "INTERNAL_DNS_DOMAIN"}, {CPA_IP4_SERVER, "INTERNAL_IP4_SERVER"},
    {CPA_IP6_SERVER, "INTERNAL_IP6_SERVER"});
// clang-format on
