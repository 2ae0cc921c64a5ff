/* The state machine: a table says which message is welcome in which state, what must be in it and what comes
 * after; the engine does the rest. Handlers look at payloads and build the answer; they never change states,
 * arm timers, check payload sets or hashes, or send.
 *
 * A packet: demux (header, gate, table look-up) -> mail -> engine_receive(): duplicate? row? encrypted as it
 * must be? -> decrypt, parse, payload sets, HASH -> handler -> verdict -> engine: answer, new state, timer,
 * story, entry action.
 */
#pragma once
#include "pluto/sa/sa.h"

typedef enum verdict {
    SM_OK,     /* the message is good: answer, next state */
    SM_IGNORE, /* as if it had not come */
    SM_FAIL,   /* not good: notify the peer; a larval quick mode ends, a phase 1 waits for a better one */
    SM_FATAL,  /* the negotiation is over: notify, end the state */
} verdict;

typedef struct msgctx {
    pluto *p;
    ike *i;
    pstate *st; /* phase 1 or quick mode; NULL for a quick mode that is not there yet */
    quick *q;
    const struct sm_row *row;
    const endpoint *from, *to;
    bool natt;
    ikev1_msg m;
    arena mem;
    iv_chain iv; /* after decryption */
    ikev1_builder reply;
    iv_chain reply_iv;
    uint16_t notify; /* with SM_FAIL, SM_FATAL; 0 = none */
    msgbuf why;
} msgctx;

typedef verdict sm_fn(msgctx *md);

enum { /* sm_row.flags */
       SMF_ENCRYPTED = 1,
       SMF_REPLY = 2,      /* the handler builds an answer */
       SMF_NEW = 4,        /* makes the state it is about */
       SMF_DUP_ANSWER = 8, /* an exact duplicate of the last message gets the last answer again */
       SMF_HASH1 = 16,     /* prf(SKEYID_a, M-ID | rest) */
       SMF_HASH2 = 32,     /* prf(SKEYID_a, M-ID | Ni | rest) */
       SMF_HASH3 = 64,     /* prf(SKEYID_a, 0 | M-ID | Ni | Nr) */
       SMF_REPLY_HASH2 = 128,
       SMF_REPLY_HASH3 = 256,
       SMF_ESTABLISHED = 512, /* only under an established ISAKMP SA */
};
enum { SMA_ANY = 0, SMA_PSK = 1, SMA_SIG = 2 };

typedef struct sm_row {
    pl_state state;   /* STATE_NONE: any */
    uint8_t exchange; /* ikev1_exchange */
    uint8_t auth;     /* SMA_ */
    bool initiator;   /* our role */
    uint16_t flags;
    payset1 need, may, many;
    sm_fn *handler;
    pl_state next;
    pl_event timer; /* armed after SM_OK; EVENT_NULL: what the entry action arms */
    void (*enter)(msgctx *md);
} sm_row;

extern const sm_row pluto_sm_rows[];
extern const size_t sm_rows_n;
/* NULL: not welcome */
const sm_row *sm_find(pl_state state, uint8_t exchange, bool initiator, uint8_t auth);

/* ---- demux.c ---- the packet callback of net; owns the packet */
void demux_packet(void *ctx, packet *pk);

/* ---- engine.c ---- */
void engine_receive(ike *i, const packet *pk, span data);
/* Puts a header before the chain, encrypts with iv (NULL: clear) and sends. keep (may be NULL) gets the
 * octets, for retransmission. The chain's HASH must be set. */
status engine_send(ike *i, buf *keep, uint8_t exchange, uint32_t mid, const ikev1_builder *b,
                   iv_chain *iv) MUST_CHECK;
/* Fills the HASH room at the head of the chain: prf(SKEYID_a, M-ID | nonce | rest). */
status engine_set_hash(ike *i, uint32_t mid, span nonce, ikev1_builder *b) MUST_CHECK;
/* The chain of a new phase 2 exchange. */
status engine_start_iv(ike *i, uint32_t mid, iv_chain *out) MUST_CHECK;
void engine_resend(ike *i, const buf *octets);
/* A message of our own that starts something; state, story and timer as for an answer. */
void engine_started(pstate *st, pl_state to, const char *story);
uint32_t engine_new_msgid(ike *i);
/* true: seen before (and remembers it) */
bool engine_seen_msgid(ike *i, uint32_t mid);
/* md->why and the notify, in one go: return sm_fail(md, NV1_…, "…") */
verdict sm_fail(msgctx *md, verdict v, uint16_t notify, const char *fmt, ...) PRINTF_LIKE(4, 5);
