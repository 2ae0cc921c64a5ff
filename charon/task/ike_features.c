/* What both sides can do beyond the minimum, said in IKE_SA_INIT: fragmentation (RFC 7383 2.3) and hashes for
 * digital signatures (RFC 7427 4).
 */
#include "charon/sa/ike_sa.h"
#include "charon/task/task.h"

static const uint16_t our_hashes[] = {HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512, HASH_IDENTITY};
enum { N_HASHES = sizeof(our_hashes) / sizeof(our_hashes[0]) };

static bool want_fragments(const ike_sa *sa)
{
    return sa->ch->set.fragment_size != 0 && (!sa->cfg || sa->cfg->c->fragmentation != FRAG_NO);
}

static void add_hashes(xchg *x)
{
    uint8_t b[2 * N_HASHES];
    size_t n = 0;

    for (size_t i = 0; i < N_HASHES; i++) {
        if (our_hashes[i] != HASH_IDENTITY &&
            !crypto_has_hash(x->sa->ch->env->crypto, (hash_alg)our_hashes[i]))
            continue;
        set_u16(b + n, our_hashes[i]);
        n += 2;
    }
    ikev2_add_notify(x->out, N_SIGNATURE_HASH_ALGORITHMS, span_of(b, n));
}

static void read_features(xchg *x)
{
    const ikev2_notify *n = ikev2_find_notify(x->in, N_SIGNATURE_HASH_ALGORITHMS);

    x->sa->fragment = want_fragments(x->sa) &&
                      ikev2_find_notify(x->in, N_IKEV2_FRAGMENTATION_SUPPORTED) != NULL;
    for (size_t i = 0; n && i + 2 <= n->data.n; i += 2) {
        uint16_t h = get_u16(n->data.p + i);
        if (h > HASH_SHA1 && h <= HASH_IDENTITY) /* SHA-1 is not for digital signatures */
            x->sa->peer_hashes |= 1u << h;
    }
}

static verdict features_request(task *t, xchg *x)
{
    if (want_fragments(t->sa))
        ikev2_add_notify(x->out, N_IKEV2_FRAGMENTATION_SUPPORTED, SPAN_NULL);
    add_hashes(x);
    return V_DONE;
}

static verdict features_response(task *t, xchg *x)
{
    (void)t;
    read_features(x);
    return V_DONE;
}

static const task_ops features_ops = {"ike_features",   IKE_SA_INIT,       RANK_INIT,
                                      features_request, features_response, NULL};

task *task_ike_features_new(ike_sa *sa)
{
    return task_make(sizeof(task), &features_ops, sa);
}

verdict ike_features_answer(xchg *x)
{
    read_features(x);
    if (x->sa->fragment)
        ikev2_add_notify(x->out, N_IKEV2_FRAGMENTATION_SUPPORTED, SPAN_NULL);
    if (x->sa->peer_hashes)
        add_hashes(x);
    return V_DONE;
}
