/* IKEv1 messages: as clear and as decrypted chains; what parses is emitted again; fragments; vendor IDs. */
#include "libfreeswan/wire/ikev1_payloads.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void emit_again(const ikev1_payload *p)
{
    const wire_table *t = ikev1_payload_table(p->type);
    ikev1_payload again;
    buf one = {0}, two = {0};
    arena mem;
    arena_init(&mem, IKEV1_ARENA_LIMIT);
    if (wire_emit(t, &p->sa, &one) != ST_OK || one.n != p->body.n)
        abort();
    if (wire_parse(t, buf_span(&one), &again.sa, &mem, NULL) != ST_OK)
        abort();
    if (wire_emit(t, &again.sa, &two) != ST_OK || !span_equal(buf_span(&one), buf_span(&two)))
        abort();
    buf_free(&one);
    buf_free(&two);
    arena_free(&mem);
}

static void use_message(const ikev1_msg *m, ikev1_defrag *d)
{
    buf text = {0};
    msgbuf msg;
    char vid[256];
    span whole;
    for (size_t i = 0; i < m->n; i++) {
        emit_again(&m->p[i]);
        if (m->p[i].type == PLV1_VID)
            vid_text(m->p[i].vid.data, vid, sizeof(vid));
        if (m->p[i].type == PLV1_FRAGMENT && ikev1_defrag_add(d, &m->p[i].frag, &whole, &msg) == ST_OK &&
            whole.n == 0)
            abort();
    }
    if (ikev1_check(m, PS1(PLV1_SA), PS1(PLV1_KE), 0, &msg) != ST_OK && !msg.text[0])
        abort();
    ikev1_dump(m, &text);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ikev1_msg m;
    arena mem;
    msgbuf msg;
    size_t surplus;
    ikev1_defrag d = {0};
    arena_init(&mem, IKEV1_ARENA_LIMIT);
    if (ikev1_parse(&m, span_of(data, size), &mem, &msg) == ST_OK)
        use_message(&m, &d);
    arena_free(&mem);
    arena_init(&mem, IKEV1_ARENA_LIMIT);
    m = (ikev1_msg){.mem = &mem};
    if (ikev1_parse_header(&m.h, span_of(data, size), &surplus) == ST_OK &&
        ikev1_parse_chain(&m, span_skip(span_take(span_of(data, size), m.h.length), IKEV1_HEADER), true,
                          &msg) == ST_OK)
        use_message(&m, &d);
    ikev1_defrag_reset(&d);
    arena_free(&mem);
    return 0;
}
