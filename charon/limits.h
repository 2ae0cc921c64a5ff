/* Every limit of the IKEv2 engine in one place. What a peer can make us hold is bounded by these. */
#pragma once

enum {
    NONCE_BYTES = 32,
    NONCE_MIN = 16, /* RFC 7296 3.9 */
    NONCE_MAX = 256,
    COOKIE_MAX = 64,
    COOKIE_THRESHOLD = 10,         /* half-open IKE_SAs before cookies are asked for */
    BLOCK_THRESHOLD = 5,           /* half-open IKE_SAs of one peer before its requests are dropped */
    HALF_OPEN_MS = 30 * 1000,      /* a responder waits that long for IKE_AUTH */
    COOKIE_SECRET_MS = 60 * 1000,  /* life of a cookie secret; the previous one is still taken */
    INIT_RESTARTS = 4,             /* COOKIE and INVALID_KE_PAYLOAD answers we follow in one attempt */
    REFUSAL_GRACE_MS = 1500,       /* a refusal in clear may be forged: wait for the true answer */
    MAIL_LIMIT = 256,              /* packets, timers and orders waiting for one IKE_SA */
    MAX_CHILDREN = 1024,           /* CHILD_SAs of one IKE_SA, unless it is configured for more */
    MAX_TASKS = 1024,              /* exchanges waiting on one IKE_SA */
    MAX_CERTS_IN = 16,             /* certificates read from one message */
    MAX_CERTREQ_HASHES = 256,      /* of one message */
    MAX_CAS_REQUESTED = 64,        /* we ask for */
    MAX_TS = 64,                   /* selectors in one payload */
    TEMPORARY_RETRY_MS = 5 * 1000, /* after TEMPORARY_FAILURE, plus a random part */
    TEMPORARY_TRIES = 12,
    FRAGMENT_SIZE = 1280, /* octets of an IP packet */
    KEEPALIVE_S = 20,
    SPI_TRIES = 8,
    LATE_MS = 3 * 1000,    /* who answered a rekeying sends with the new keys after that at the latest */
    MAX_LAST_WORDS = 2048, /* answers kept of IKE_SAs that are gone */
};
