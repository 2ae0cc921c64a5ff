/* Choosing between two lists of proposals, and saying why nothing could be chosen. A type that a proposal
 * does not mention counts as the number 0 (no group, no integrity, no ESN), so that "absent" and "explicitly
 * none" agree, as RFC 7296 3.3.2 and 3.3.6 want it; the answer then repeats only what the peer wrote.
 */
#include "libfreeswan/proposal/proposal.h"

#include <stdio.h>

static const struct {
    uint8_t type;
    const char *name;
} types[] = {
    {TRANSFORM_ENCR, "encryption"},          {TRANSFORM_PRF, "pseudo-random function"},
    {TRANSFORM_INTEG, "integrity"},          {TRANSFORM_DH, "Diffie-Hellman group"},
    {TRANSFORM_ESN, "sequence number size"},
};
enum { N_TYPES = sizeof(types) / sizeof(types[0]) };

typedef struct attempt {
    const proposal *lead, *follow; /* lead's order decides */
    const proposal *theirs;
    bool no_dh;
    proposal out;
    unsigned agreed; /* how many types, for the nearest miss */
    uint8_t failed;  /* type */
} attempt;

/* Absent key lengths mean what RFC 2451 and RFC 3602 say they mean. */
static uint16_t bits_or_default(const transform *t)
{
    if (t->type != TRANSFORM_ENCR || t->key_bits)
        return t->key_bits;
    switch (t->id) {
    case ENCR_DES:
    case ENCR_3DES:
    case ENCR_NULL:
    case ENCR_CHACHA20_POLY1305:
        return 0;
    default:
        return 128;
    }
}

static bool transform_agrees(const transform *a, const transform *b)
{
    return a->type == b->type && a->id == b->id && bits_or_default(a) == bits_or_default(b);
}

/* The i-th transform of a type; an absent type has the number 0 as its only one. */
static bool nth(const proposal *p, uint8_t type, unsigned i, transform *out)
{
    unsigned seen = 0;
    for (uint8_t k = 0; k < p->n; k++)
        if (p->t[k].type == type && seen++ == i) {
            *out = p->t[k];
            return true;
        }
    *out = (transform){.type = type};
    return seen == 0 && i == 0;
}

static bool pick(attempt *a, uint8_t type)
{
    transform x, y;
    for (unsigned i = 0; nth(a->lead, type, i, &x); i++)
        for (unsigned k = 0; nth(a->follow, type, k, &y); k++) {
            if (!transform_agrees(&x, &y))
                continue;
            const transform *theirs = a->theirs == a->lead ? &x : &y;
            if (proposal_get(a->theirs, type))
                return proposal_add(&a->out, type, theirs->id, theirs->key_bits);
            return true;
        }
    return false;
}

/* The types behind encryption, for one chosen cipher. */
static bool pick_rest(attempt *a, bool combined)
{
    for (size_t i = 1; i < N_TYPES; i++) {
        uint8_t type = types[i].type;
        if (type == TRANSFORM_DH && a->no_dh) {
            a->agreed++;
            continue;
        }
        if (type == TRANSFORM_INTEG && combined) {
            if (proposal_has(a->theirs, TRANSFORM_INTEG, INTEG_NONE) &&
                !proposal_add(&a->out, TRANSFORM_INTEG, INTEG_NONE, 0))
                return false;
            a->agreed++;
            continue;
        }
        if (!pick(a, type)) {
            a->failed = type;
            return false;
        }
        a->agreed++;
    }
    return true;
}

static bool attempt_one(attempt *a)
{
    transform x, y;
    unsigned best = 0;
    uint8_t failed = TRANSFORM_ENCR;
    for (unsigned i = 0; nth(a->lead, TRANSFORM_ENCR, i, &x); i++)
        for (unsigned k = 0; nth(a->follow, TRANSFORM_ENCR, k, &y); k++) {
            if (!transform_agrees(&x, &y))
                continue;
            const transform *theirs = a->theirs == a->lead ? &x : &y;
            a->out = (proposal){
                .number = a->theirs->number, .proto = a->theirs->proto, .spi_n = a->theirs->spi_n};
            memcpy(a->out.spi, a->theirs->spi, sizeof(a->out.spi));
            a->agreed = 1;
            if ((!proposal_get(a->theirs, TRANSFORM_ENCR) ||
                 proposal_add(&a->out, TRANSFORM_ENCR, theirs->id, theirs->key_bits)) &&
                pick_rest(a, encr_is_aead(x.id)))
                return true;
            if (a->agreed > best) {
                best = a->agreed;
                failed = a->failed;
            }
        }
    a->agreed = best;
    a->failed = failed;
    return false;
}

static void add_type_list(msgbuf *msg, const proposal *p, uint8_t type)
{
    char text[PROPOSAL_TEXT];
    proposal part = {0};
    for (uint8_t i = 0; i < p->n; i++)
        if (p->t[i].type == type)
            part.t[part.n++] = p->t[i];
    proposal_text(&part, false, text, 180);
    msg_add(msg, "%s", part.n ? text : "none");
}

static void explain(const proposal *ours, const proposal *theirs, uint8_t type, msgbuf *msg)
{
    const char *name = "algorithm";
    for (size_t i = 0; i < N_TYPES; i++)
        if (types[i].type == type)
            name = types[i].name;
    msg_set(msg, "no %s in common: we want ", name);
    add_type_list(msg, ours, type);
    msg_add(msg, ", peer offers ");
    add_type_list(msg, theirs, type);
}

bool proposals_select(const proposals *ours, const proposals *theirs, bool prefer_ours, bool no_dh,
                      proposal *out, msgbuf *msg)
{
    const proposals *lead = prefer_ours ? ours : theirs, *follow = prefer_ours ? theirs : ours;
    const proposal *near_ours = NULL, *near_theirs = NULL;
    unsigned best = 0;
    uint8_t failed = 0;
    for (uint8_t i = 0; i < lead->n; i++)
        for (uint8_t k = 0; k < follow->n; k++) {
            attempt a = {.lead = &lead->p[i], .follow = &follow->p[k], .no_dh = no_dh};
            a.theirs = prefer_ours ? a.follow : a.lead;
            if (a.lead->proto != a.follow->proto)
                continue;
            if (attempt_one(&a)) {
                *out = a.out;
                return true;
            }
            if (!near_ours || a.agreed > best) {
                best = a.agreed;
                failed = a.failed;
                near_ours = prefer_ours ? a.lead : a.follow;
                near_theirs = a.theirs;
            }
        }
    if (near_ours)
        explain(near_ours, near_theirs, failed, msg);
    else if (!theirs->n)
        msg_set(msg, "the peer offers nothing that can be used");
    else
        msg_set(msg, "the peer offers no proposal of our protocol");
    return false;
}
