/* Main mode, responder: MR1, MR2, MR3. Nothing is computed before the initiator has shown that it hears us,
 * and nothing is retransmitted unless it asks again.
 */
#include "pluto/mode/mode.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sa/spdb.h"

verdict main_in_I1_out_R1(msgctx *md)
{
    ike *i = md->i;
    const ikev1_payload *sa = ikev1_find(&md->m, PLV1_SA);
    uint8_t rcookie[8];
    oakley_choice ch;
    msgbuf why;
    verdict v = lookup_for_I1(md, &sa->sa);
    if (v != SM_OK)
        return v;
    main_take_vendor_ids(md);
    if (md->st->c->instance)
        plog(md->st, "responding to Main Mode from unknown peer %s",
             md->from->port == IKE_PORT ? ADDR_STR(&md->from->ip) : ADDR_PORT(md->from));
    else
        plog(md->st, "responding to Main Mode");
    status st = spdb_choose_oakley(md->st, md->st->c, &sa->sa, false, false, &ch, &why);
    if (st == ST_INVALID)
        return sm_fail(md, SM_FAIL, NV1_BAD_PROPOSAL_SYNTAX, "malformed SA payload: %s", why.text);
    if (st != ST_OK) {
        plog(md->st, "explain: conn \"%s\" came nearest: %s", md->st->c->name, why.text);
        return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "no acceptable Oakley Transform");
    }
    if (buf_assign(&i->sa_body, sa->body) != ST_OK)
        return SM_IGNORE;
    i->auth = ch.auth;
    i->group = ch.group;
    i->life_s = ch.life_s;
    if (keymat_init(&i->keys, md->p->e->crypto, ch.encr, ch.key_bits, ch.hash) != ST_OK)
        return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "no acceptable Oakley Transform");
    ike_responder_cookie(md->p, md->from, md->m.h.icookie, rcookie);
    if ((st = ike_set_cookies(i, rcookie)) != ST_OK)
        return sm_fail(md, SM_IGNORE, 0, "cookies %s", status_text(st));
    spdb_add_oakley_choice(&md->reply, &ch);
    main_add_vendor_ids(i, &md->reply);
    return SM_OK;
}

verdict main_in_I2_out_R2(msgctx *md)
{
    ike *i = md->i;
    verdict v;
    main_take_vendor_ids(md);
    main_take_certreqs(md);
    if ((v = main_take_ke(md)) != SM_OK)
        return v;
    if (main_make_ke(i, &md->why) != ST_OK)
        return SM_IGNORE;
    main_add_ke(i, &md->reply);
    main_add_certreqs(i, &md->reply);
    natt_add_hashes(i, &md->reply);
    natt_take_hashes(md);
    return main_derive(md, ikev1_find(&md->m, PLV1_KE));
}

verdict main_in_I3_out_R3(msgctx *md)
{
    ike *i = md->i;
    status st;
    verdict v = main_take_auth(md);
    if (v != SM_OK)
        return v;
    if ((st = main_add_auth(i, &md->reply, &md->why)) != ST_OK) {
        msgbuf why = md->why;
        return sm_fail(md, SM_FATAL, st == ST_NOT_FOUND ? NV1_AUTHENTICATION_FAILED : 0, "%s", why.text);
    }
    /* our own configuration may have a shorter life in mind */
    if (md->st->c->c->ikelifetime_s < i->life_s)
        i->life_s = md->st->c->c->ikelifetime_s;
    return SM_OK;
}
