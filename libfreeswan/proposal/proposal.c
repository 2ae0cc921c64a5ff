/* Proposals as values: adding transforms, looking them up, printing them. A proposal keeps its transforms
 * grouped by type (in the order of the type numbers), so that every user sees the same order whatever the
 * text or the peer wrote.
 */
#include "libfreeswan/proposal/proposal.h"

#include <stdio.h>

bool proposal_add(proposal *p, transform_type type, uint16_t id, uint16_t key_bits)
{
    uint8_t at = 0;
    for (uint8_t i = 0; i < p->n; i++) {
        if (p->t[i].type == type && p->t[i].id == id && p->t[i].key_bits == key_bits)
            return true;
        if (p->t[i].type <= type)
            at = (uint8_t)(i + 1);
    }
    if (p->n >= PROPOSAL_MAX_TRANSFORMS)
        return false;
    memmove(&p->t[at + 1], &p->t[at], (size_t)(p->n - at) * sizeof(p->t[0]));
    p->t[at] = (transform){.type = (uint8_t)type, .id = id, .key_bits = key_bits};
    p->n++;
    return true;
}

const transform *proposal_get(const proposal *p, transform_type type)
{
    for (uint8_t i = 0; i < p->n; i++)
        if (p->t[i].type == type)
            return &p->t[i];
    return NULL;
}

bool proposal_has(const proposal *p, transform_type type, uint16_t id)
{
    for (uint8_t i = 0; i < p->n; i++)
        if (p->t[i].type == type && p->t[i].id == id)
            return true;
    return false;
}

/* ---- text ---- */

static size_t put(char *dst, size_t size, size_t at, const char *text)
{
    if (at < size)
        snprintf(dst + at, size - at, "%s", text);
    return at + strlen(text);
}

static size_t put_transform(char *dst, size_t size, size_t at, const transform *t)
{
    char tmp[ENUM_TEXT_SIZE], bits[16];
    const enum_names *names = transform_names(t->type);
    at = put(dst, size, at, names ? enum_name(names, t->id, tmp) : "?");
    if (t->key_bits) {
        snprintf(bits, sizeof(bits), "_%u", t->key_bits);
        at = put(dst, size, at, bits);
    }
    return at;
}

static const char *proto_name(uint8_t proto)
{
    switch (proto) {
    case PROTO_IKE:
        return "IKE";
    case PROTO_AH:
        return "AH";
    case PROTO_ESP:
        return "ESP";
    case PROTO_IPCOMP:
        return "IPCOMP";
    default:
        return "NONE";
    }
}

char *proposal_text(const proposal *p, bool with_proto, char *dst, size_t size)
{
    /* the order of the field's status lines */
    static const uint8_t order[] = {TRANSFORM_ENCR, TRANSFORM_INTEG, TRANSFORM_PRF, TRANSFORM_DH,
                                    TRANSFORM_ESN};
    size_t at = 0;
    bool first = true;
    if (!size)
        return dst;
    dst[0] = '\0';
    if (with_proto) {
        at = put(dst, size, at, proto_name(p->proto));
        at = put(dst, size, at, ":");
    }
    for (size_t k = 0; k < sizeof(order); k++)
        for (uint8_t i = 0; i < p->n; i++) {
            if (p->t[i].type != order[k])
                continue;
            if (!first)
                at = put(dst, size, at, "/");
            first = false;
            at = put_transform(dst, size, at, &p->t[i]);
        }
    return dst;
}

char *proposals_text(const proposals *p, char *dst, size_t size)
{
    size_t at = 0;
    if (!size)
        return dst;
    dst[0] = '\0';
    for (uint8_t i = 0; i < p->n && at < size; i++) {
        if (i)
            at = put(dst, size, at, ", ");
        if (at < size)
            proposal_text(&p->p[i], true, dst + at, size - at);
        at += strlen(dst + (at < size ? at : size - 1));
    }
    return dst;
}
