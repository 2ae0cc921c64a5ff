/* Every bound of the IKEv1 daemon, in one place. Times in milliseconds unless the name says otherwise. */
#pragma once

enum {
    PLUTO_MAX_HALF_OPEN = 1000, /* responder states before MI3 was authenticated; beyond it the oldest goes */
    PLUTO_MAX_HALF_OPEN_PEER = 32, /* of these, from one address */
    PLUTO_MAX_STATES = 200000,
    PLUTO_MAX_MAIL = 4096,       /* messages, events and requests that wait for one peer */
    PLUTO_MAX_QUICK_LARVAL = 64, /* unfinished quick modes of one ISAKMP SA */
    PLUTO_MAX_PENDING = 256,     /* quick modes that wait for one ISAKMP SA */
    PLUTO_MAX_CERTS = 8,         /* of one message */
    PLUTO_MAX_CERTREQS = 16,
    PLUTO_MAX_VENDOR_IDS = 32,
    PLUTO_MAX_MESSAGE = 32768, /* octets */
    PLUTO_MIN_NONCE = 8,
    PLUTO_MAX_NONCE = 256,
    PLUTO_NONCE = 32,         /* what we send */
    PLUTO_MAX_DUPLICATES = 6, /* answers to exact duplicates of one packet */
    PLUTO_MAX_INSTANCES = 65536,
    PLUTO_SEEN_MSGIDS = 64, /* message ids of an ISAKMP SA that must not come again */

    RETRANSMIT_FIRST_MS = 10 * 1000,
    RETRANSMIT_MAX = 2,            /* after the first transmission */
    RETRANSMIT_MAX_FOREVER = 20,   /* MI1 with keyingtries=%forever */
    HALF_OPEN_LIFE_MS = 70 * 1000, /* a responder waits so long for MI2, MI3, QI2 */
    KEEPALIVE_DEFAULT_S = 20,
    SA_LIFE_MAX_S = 86400,
    SA_LIFE_RFC_S = 28800, /* when the peer names none */
    COOKIE_SECRET_S = 3600,
    XAUTH_TIMEOUT_MS = 60 * 1000, /* for XAUTH and Mode Config together */
    XAUTH_RETRY_S = 60,           /* until the next attempt after they failed; pluto.xauth_retry */
    XAUTH_RETRY_MAX_S = 86400,
};
