/* Pre-shared keys. The secret is looked for by the identities first and by the addresses second, as
 * ipsec.secrets promises. RFC 7296 2.15
 */
#include "charon/auth/methods.h"

static status find_secret(ike_sa *sa, const ident *my_id, const ident *other, secret *out)
{
    ident *me_addr = ident_of_addr(&sa->local.ip), *peer_addr = ident_of_addr(&sa->remote.ip);
    const ident *me[2] = {my_id, me_addr};
    const ident *peer[2] = {other && ident_type(other) != ID_ANY ? other : NULL, peer_addr};
    msgbuf why = {0};
    status st = credstore_find_shared(sa->ch->env->cred, SECRET_PSK, me, 2, peer, 2, out, &why);

    if (st != ST_OK) {
        explain_count(sa->ch->env->explain, AUTHF_NO_SECRET);
        LOG(&sa->log, IKE, 1, "no shared key found for '%s' - '%s'", SA_ID(my_id), SA_ID(other));
        if (why.text[0])
            LOG(&sa->log, IKE, 1, "*explain* %s", why.text);
    }
    ident_unref(me_addr);
    ident_unref(peer_addr);
    return st;
}

static status compute(ike_sa *sa, const ident *my_id, const ident *other, span octets, uint8_t *mac,
                      size_t *n)
{
    secret psk = {0};
    status st = find_secret(sa, my_id, other, &psk);

    if (st == ST_OK)
        st = keymat_psk_auth(&sa->keys, secret_view(&psk), octets, mac, n);
    secret_free(&psk);
    return st;
}

status psk_sign(ike_sa *sa, const ident *my_id, const ident *other, span octets, buf *out)
{
    uint8_t mac[MAX_HASH_BYTES];
    size_t n = 0;
    status st = compute(sa, my_id, other, octets, mac, &n);

    if (st == ST_OK) {
        buf_put(out, span_of(mac, n));
        st = buf_ok(out) ? ST_OK : ST_NO_MEMORY;
    }
    return st;
}

status psk_verify(ike_sa *sa, auth_peer *p, span octets)
{
    uint8_t mac[MAX_HASH_BYTES];
    size_t n = 0;
    status st = compute(sa, p->my_id, p->id, octets, mac, &n);

    if (st != ST_OK)
        return st;
    if (!secret_equal(span_of(mac, n), p->data)) {
        explain_count(sa->ch->env->explain, AUTHF_BAD_SECRET);
        LOG(&sa->log, IKE, 1, "tried 1 shared key for '%s' - '%s', but MAC mismatched", SA_ID(p->my_id),
            SA_ID(p->id));
        LOG(&sa->log, IKE, 1, "*explain* the peer '%s' has another secret than the one we have for it",
            SA_ID(p->id));
        return ST_CRYPTO;
    }
    return ST_OK;
}
