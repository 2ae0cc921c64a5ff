/* Memory that runs out: the N-th allocation of a handshake between two honest engines fails, for every N
 * there is. Nobody crashes, nothing half-made stays, and the next attempt, with memory again, succeeds.
 * hazards.md class 13
 *
 * How an allocation fails: tests/sim/faultalloc.h. Not in sanitizer builds.
 */
#include "tests/hostile/hostile.h"
#include "tests/sim/faultalloc.h"
#include <stdio.h>

enum { LAST = 20000 };

static bool warm; /* what libraries keep for later is there */

void oom_prepare(void)
{
    fault_alloc_prepare();
}

/* What is going on while memory runs out. */
typedef enum act { ACT_CONNECT, ACT_REKEY_CHILD, ACT_REKEY_IKE, ACT_TERMINATE, ACT_COUNT } act;
static const char *const act_names[ACT_COUNT] = {"connecting", "rekeying the child", "rekeying the IKE_SA",
                                                 "terminating"};

static void perform(target *a, bool v1, act what)
{
    if (v1 && what == ACT_TERMINATE)
        pluto_terminate(a->pluto, "call", NULL);
    else if (v1)
        pluto_initiate(a->pluto, "call", true, NULL);
    else if (what == ACT_CONNECT)
        charon_initiate(a->charon, "call", NULL);
    else if (what == ACT_TERMINATE)
        charon_terminate(a->charon, "call", NULL);
    else
        charon_rekey(a->charon, what == ACT_REKEY_IKE ? "call" : "call{}", NULL);
}

static bool is_up(target *t)
{
    return target_established(t) >= 1 && kernel_fake_sas(t->env.kernel) >= 2;
}

/* At least the first seconds, then until there is a tunnel. */
static void let_time_pass(target *a, target *b, unsigned at_least, unsigned seconds)
{
    for (unsigned i = 0; i < seconds && (i < at_least || !(is_up(a) && is_up(b))); i++) {
        target_pass(a, 1000);
        target_pass(b, 1000);
        pump(a, b);
    }
}

/* false: there is no N-th allocation. */
static bool without_memory(bool v1, act what_act, unsigned long n)
{
    static target a, b;
    char what[96];
    long before = fault_alloc_live();
    snprintf(what, sizeof(what), "IKEv%d, %s, without memory at allocation %lu", v1 ? 1 : 2,
             act_names[what_act], n);
    start_target(&a, TARGET_IP, v1 ? conf_v1_call : conf_initiator);
    start_target(&b, HONEST_IP, v1 ? conf_v1_honest : conf_honest);
    if (what_act != ACT_CONNECT) {
        perform(&a, v1, ACT_CONNECT);
        pump(&a, &b);
        check(is_up(&a) && is_up(&b), "%s: no tunnel to begin with", what);
    }
    fault_alloc_at(n);
    perform(&a, v1, what_act);
    pump(&a, &b);
    bool reached = fault_alloc_count() >= n;
    fault_alloc_at(0);
    let_time_pass(&a, &b, what_act == ACT_CONNECT ? 0 : 200, 400);
    if (!(is_up(&a) && is_up(&b))) {
        if (v1) {
            pluto_terminate(a.pluto, "call", NULL);
            pluto_terminate(b.pluto, "answer", NULL);
        } else {
            charon_terminate(a.charon, "call", NULL);
            charon_terminate(b.charon, "answer", NULL);
        }
        pump(&a, &b);
        target_pass(&a, REST_MS);
        target_pass(&b, REST_MS);
        pump(&a, &b);
        perform(&a, v1, ACT_CONNECT);
        pump(&a, &b);
        let_time_pass(&a, &b, 0, 100);
    }
    check(is_up(&a) && is_up(&b), "%s: no tunnel later either (%u and %u SAs, %zu and %zu in the kernel)",
          what, target_established(&a), target_established(&b), kernel_fake_sas(a.env.kernel),
          kernel_fake_sas(b.env.kernel));
    expect_no_orphans(&a, what);
    expect_no_orphans(&b, what);
    target_stop(&a);
    target_stop(&b);
    long after = fault_alloc_live();
    check(!warm || after <= before, "%s: %ld allocations are not given back", what, after - before);
    return reached;
}

static void all_of_them(bool v1, act what)
{
    unsigned long n = 1;
    warm = false;
    for (int i = 0; i < 3; i++)
        (void)without_memory(v1, what, LAST);
    warm = true;
    while (n < LAST && without_memory(v1, what, n))
        n++;
    check(n > 10 && n < LAST, "IKEv%d, %s: %lu allocations", v1 ? 1 : 2, act_names[what], n);
}

void oom_v2(void)
{
    if (!fault_alloc_works()) {
        skip("memory that runs out: the sanitizer has its own allocator");
        return;
    }
    for (act a = 0; a < ACT_COUNT; a++)
        all_of_them(false, a);
}

void oom_v1(void)
{
    if (!fault_alloc_works()) {
        skip("memory that runs out: the sanitizer has its own allocator");
        return;
    }
    all_of_them(true, ACT_CONNECT);
    all_of_them(true, ACT_TERMINATE);
}
