/* The state table is complete and without contradictions. */
#include "charon/sm/manager.h"
#include "charon/sa/index.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const uint8_t exchanges[] = {
    IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL, IKE_INTERMEDIATE, 0, 33, 240, 255};

static unsigned rows_for(uint8_t exchange, bool response, ike_state st, bool initiator)
{
    unsigned n = 0;

    for (size_t i = 0; i < sm_n_rows; i++) {
        const sm_row *r = &sm_rows[i];
        n += r->exchange == exchange && r->response == response && (r->states & 1u << st) &&
             (r->role == SM_ANY || (r->role == SM_INITIATOR) == initiator);
    }
    return n;
}

static void at_most_one_row(void **state)
{
    (void)state;
    for (size_t e = 0; e < sizeof(exchanges); e++) {
        for (int st = 0; st < IKE_STATE_COUNT; st++) {
            for (int k = 0; k < 4; k++) {
                unsigned n = rows_for(exchanges[e], k & 1, (ike_state)st, k & 2);
                assert_true(n <= 1);
                assert_int_equal(n == 1, sm_find_row(exchanges[e], k & 1, (ike_state)st, k & 2) != NULL);
            }
        }
    }
}

/* What must never be taken, whatever the table says one day. */
static void forbidden(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        bool response = k & 1, initiator = k & 2;
        for (int st = IKE_CREATED; st <= IKE_CONNECTING; st++) { /* nobody is authenticated yet */
            assert_null(sm_find_row(CREATE_CHILD_SA, response, (ike_state)st, initiator));
            assert_null(sm_find_row(INFORMATIONAL, response, (ike_state)st, initiator));
        }
        for (int st = IKE_ESTABLISHED; st < IKE_STATE_COUNT; st++) { /* the handshake is over */
            assert_null(sm_find_row(IKE_SA_INIT, response, (ike_state)st, initiator));
            assert_null(sm_find_row(IKE_AUTH, response, (ike_state)st, initiator));
        }
        for (size_t e = 0; e < sizeof(exchanges); e++)
            assert_null(sm_find_row(exchanges[e], response, IKE_DESTROYED, initiator));
    }
    /* only a responder answers the handshake, only an initiator reads its answers */
    assert_null(sm_find_row(IKE_SA_INIT, false, IKE_CREATED, true));
    assert_null(sm_find_row(IKE_AUTH, false, IKE_CONNECTING, true));
    assert_null(sm_find_row(IKE_SA_INIT, true, IKE_CONNECTING, false));
    assert_null(sm_find_row(IKE_AUTH, true, IKE_CONNECTING, false));
}

static void rows_make_sense(void **state)
{
    (void)state;
    for (size_t i = 0; i < sm_n_rows; i++) {
        const sm_row *r = &sm_rows[i];
        const ikev2_rule *p = &ikev2_rules[r->rule];
        assert_non_null(r->story);
        assert_true(r->states != 0);
        assert_int_equal(p->exchange, r->exchange);
        assert_int_equal(p->response, r->response);
        assert_int_equal(r->answers[0] != NULL, !r->response); /* a request is answered, a response is not */
        assert_int_equal(p->need_clear & p->may_clear, 0);
        assert_int_equal(p->need_enc & p->may_enc, 0);
        if (r->exchange == IKE_SA_INIT) /* there are no keys yet */
            assert_int_equal(p->need_enc | p->may_enc, 0);
        else /* what matters is protected: in clear there is at most SK itself */
            assert_int_equal((p->need_clear | p->may_clear) & ~(PS2(PLV2_SK) | PS2(PLV2_SKF) | PS2_OTHER), 0);
    }
}

/* ---- the index beneath the SA table ---- */
typedef struct item {
    idx_node n;
    int value;
} item;

static bool count_value(void *ctx, idx_node *n)
{
    *(int *)ctx += container_of(n, item, n)->value;
    return false;
}

static void index_holds_many(void **state)
{
    enum { N = 5000 };
    item *items = calloc(N, sizeof(*items));
    idx *x = calloc(1, sizeof(*x));
    int sum = 0;

    (void)state;
    assert_true(items && x);
    assert_int_equal(idx_init(x), ST_OK);
    for (int i = 0; i < N; i++) {
        items[i].value = 1;
        idx_insert(x, &items[i].n, (uint64_t)(i / 2) * 0x9e3779b97f4a7c15u); /* each key twice */
    }
    assert_int_equal(idx_count(x), N);
    idx_find(x, 100 * 0x9e3779b97f4a7c15u, count_value, &sum);
    assert_int_equal(sum, 2);
    sum = 0;
    idx_each(x, count_value, &sum);
    assert_int_equal(sum, N);
    for (int i = 0; i < N; i++) {
        idx_remove(x, &items[i].n);
        idx_remove(x, &items[i].n); /* twice is harmless */
    }
    assert_int_equal(idx_count(x), 0);
    idx_fini(x);
    free(x);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_most_one_row),
        cmocka_unit_test(forbidden),
        cmocka_unit_test(rows_make_sense),
        cmocka_unit_test(index_holds_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
