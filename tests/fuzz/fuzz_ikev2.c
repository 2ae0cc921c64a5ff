/* IKEv2 messages: what parses is emitted again octet for octet (reserved bits aside), and every accessor
 * copes. */
#include "libfreeswan/wire/ikev2_payloads.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Emitting is parsing's inverse: parsing what was emitted emits the same. */
static void emit_again(const ikev2_payload *p)
{
    const wire_table *t = ikev2_payload_table(p->type);
    ikev2_payload again;
    buf one = {0}, two = {0};
    arena mem;
    arena_init(&mem, IKEV2_ARENA_LIMIT);
    if (t) {
        if (wire_emit(t, &p->sa, &one) != ST_OK || one.n != p->body.n)
            abort();
        if (wire_parse(t, buf_span(&one), &again.sa, &mem, NULL) != ST_OK)
            abort();
        if (wire_emit(t, &again.sa, &two) != ST_OK || !span_equal(buf_span(&one), buf_span(&two)))
            abort();
    }
    buf_free(&one);
    buf_free(&two);
    arena_free(&mem);
}

static void use_payload(const ikev2_payload *p)
{
    static proposals proposals_room;
    traffic_sel ts[IKEV2_MAX_TS];
    msgbuf msg;
    size_t n;
    status st = ST_OK;
    emit_again(p);
    if (p->type == PLV2_SA)
        st = ikev2_sa_get(&p->sa, &proposals_room, &msg);
    if (p->type == PLV2_TSI || p->type == PLV2_TSR)
        st = ikev2_ts_get(&p->ts, ts, IKEV2_MAX_TS, &n, &msg);
    for (size_t i = 0; p->type == PLV2_DELETE && i < p->del.count; i++)
        (void)ikev2_delete_spi(&p->del, i);
    (void)st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ikev2_msg m;
    arena mem;
    msgbuf msg;
    buf text = {0};
    arena_init(&mem, IKEV2_ARENA_LIMIT);
    if (ikev2_parse(&m, span_of(data, size), &mem, &msg) == ST_OK) {
        for (size_t i = 0; i < m.n; i++)
            use_payload(&m.p[i]);
        for (size_t i = 0; i < RULE_COUNT; i++)
            if (ikev2_check(&m, &ikev2_rules[i], &msg) == ST_OK)
                (void)ikev2_find_error(&m);
        ikev2_summary(&m, &text);
        ikev2_dump(&m, &text);
        /* with NULL encryption anybody can write inner payloads: read what follows SK as if it were decrypted
         */
        if (m.sk && m.sk->type == PLV2_SK &&
            ikev2_parse_chain(&m, m.sk_first, m.sk->body, true, &msg) == ST_OK)
            for (size_t i = 0; i < m.n; i++)
                use_payload(&m.p[i]);
    }
    buf_free(&text);
    arena_free(&mem);
    return 0;
}
