/* The state table holds together: nothing twice, nothing both needed and optional, every state is reached and
 * can end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "pluto/mode/mode.h"
#include <string.h>

static void test_rows(void **state)
{
    for (size_t a = 0; a < sm_rows_n; a++) {
        const sm_row *r = &pluto_sm_rows[a];
        assert_non_null(r->handler);
        assert_int_equal(r->need & r->may, 0);
        assert_int_equal(r->many & ~(r->need | r->may), 0);
        assert_true(strcmp(state_name(r->state), "STATE_UNDEFINED") != 0);
        for (size_t b = 0; b < a; b++) {
            const sm_row *o = &pluto_sm_rows[b];
            assert_false(r->state == o->state && r->exchange == o->exchange && r->initiator == o->initiator &&
                         (r->auth == o->auth || r->auth == SMA_ANY || o->auth == SMA_ANY));
        }
    }
}

/* Whatever comes after phase 1 is encrypted and carries its proof. */
static void test_proof(void **state)
{
    for (size_t a = 0; a < sm_rows_n; a++) {
        const sm_row *r = &pluto_sm_rows[a];
        unsigned hashes = r->flags & (SMF_HASH1 | SMF_HASH2 | SMF_HASH3);
        if (r->exchange == ISAKMP_XCHG_IDPROT) {
            assert_int_equal(hashes, 0);
            bool last = r->state == STATE_MAIN_R2 || r->state == STATE_MAIN_I3;
            assert_int_equal((r->flags & SMF_ENCRYPTED) != 0, last);
            if (last)
                assert_true(r->need & (r->auth == SMA_PSK ? PS1(PLV1_HASH) : PS1(PLV1_SIG)));
            continue;
        }
        if (r->state == STATE_INFO) { /* in clear: told, never obeyed */
            assert_int_equal(r->next, STATE_NONE);
            assert_ptr_equal(r->handler, info_clear);
            continue;
        }
        assert_true(r->flags & SMF_ENCRYPTED);
        assert_true(hashes && (hashes & (hashes - 1)) == 0);
        assert_true(r->need & PS1(PLV1_HASH));
        if (r->state != STATE_INFO_PROTECTED)
            assert_true(r->flags & SMF_ESTABLISHED);
    }
}

static void test_reach(void **state)
{
    static const pl_state starts[] = {STATE_MAIN_R0, STATE_MAIN_I1,        STATE_QUICK_R0,   STATE_QUICK_I1,
                                      STATE_INFO,    STATE_INFO_PROTECTED, STATE_MODE_CFG_R0};
    bool reached[STATE_COUNT] = {false};
    for (size_t k = 0; k < sizeof(starts) / sizeof(starts[0]); k++)
        reached[starts[k]] = true;
    for (int round = 0; round < STATE_COUNT; round++) {
        for (size_t k = 0; k < sm_rows_n; k++) {
            if (reached[pluto_sm_rows[k].state] && pluto_sm_rows[k].next != STATE_NONE)
                reached[pluto_sm_rows[k].next] = true;
        }
    }
    for (int s = STATE_MAIN_R0; s <= STATE_INFO_PROTECTED; s++)
        assert_true(reached[s]);
    for (size_t k = 0; k < sm_rows_n; k++) { /* a larval state has a timer that ends it */
        const sm_row *r = &pluto_sm_rows[k];
        if (r->next != STATE_NONE)
            assert_true(r->timer != EVENT_NULL);
        if (state_isakmp_established(r->next) || state_ipsec_established(r->next))
            assert_int_equal(r->timer, EVENT_SA_REPLACE);
    }
}

/* Each pair of state and exchange is either in the table or refused. */
static void test_refusals(void **state)
{
    static const uint8_t never[] = {
        0, 1, ISAKMP_XCHG_AO, ISAKMP_XCHG_AGGR, ISAKMP_XCHG_NGRP, ISAKMP_XCHG_ACK_INFO, 255};
    for (int s = 0; s < STATE_COUNT; s++) {
        for (size_t k = 0; k < sizeof(never); k++) {
            for (int role = 0; role < 2; role++)
                assert_null(sm_find((pl_state)s, never[k], role, SMA_PSK));
        }
        /* an initiator's message never fits a responder's state */
        assert_false(sm_find((pl_state)s, ISAKMP_XCHG_IDPROT, true, SMA_PSK) &&
                     sm_find((pl_state)s, ISAKMP_XCHG_IDPROT, false, SMA_PSK));
    }
    assert_null(sm_find(STATE_MAIN_I4, ISAKMP_XCHG_IDPROT, true, SMA_PSK));
    assert_null(sm_find(STATE_MAIN_R3, ISAKMP_XCHG_IDPROT, false, SMA_SIG));
    assert_null(sm_find(STATE_QUICK_R2, ISAKMP_XCHG_QUICK, false, SMA_ANY));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_proof),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
