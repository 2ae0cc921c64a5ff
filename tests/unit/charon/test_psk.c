/* An IKE_SA with pre-shared keys and its first CHILD_SA, between two engines. */
#include "tests/unit/charon/duo.h"

static const char conf[] =
    "conn net\n keyexchange=ikev2\n authby=secret\n left=10.0.0.1\n right=10.0.0.2\n leftid=@a.test\n"
    " rightid=@b.test\n leftsubnet=10.1.0.0/16\n rightsubnet=10.2.0.0/16\n auto=add\n";

static duo *pair(void)
{
    duo *d = duo_new();

    for (int i = 0; i < 2; i++) {
        duo_add(&d->p[i], conf);
        duo_psk(&d->p[i], "@a.test", "@b.test", "a secret");
    }
    return d;
}

static void establishes(void **state)
{
    duo *d = pair();
    duo_done done;
    charon_wait w = duo_wait(&done);
    charon_stats s;

    (void)state;
    charon_initiate(d->p[0].ch, "net", &w);
    duo_run(d, 1000);
    assert_int_equal(done.n, 1);
    assert_int_equal(done.result, ST_OK);
    for (int i = 0; i < 2; i++) {
        s = duo_stats(&d->p[i]);
        assert_int_equal(s.ike[IKE_ESTABLISHED], 1);
        assert_int_equal(s.child[CHILD_INSTALLED], 1);
        assert_int_equal(s.half_open, 0);
        assert_int_equal(kernel_fake_sas(d->p[i].env.kernel), 2);
    }
    assert_int_equal(d->frames, 4);
    duo_assert_clean(d);
    duo_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(establishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
