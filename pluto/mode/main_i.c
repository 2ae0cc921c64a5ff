/* Main mode, initiator: MI1, MI2, MI3. */
#include "pluto/mode/mode.h"
#include "pluto/sa/conns.h"
#include "pluto/sa/ike.h"
#include "pluto/sa/log.h"
#include "pluto/sa/ops.h"
#include "pluto/sa/spdb.h"

status main_out_I1(ike *i)
{
    ikev1_builder b = {0};
    pstate *st = &i->st;
    status rc;
    if (st->replaces)
        plog(st, "initiating Main Mode to replace #%llu", (unsigned long long)st->replaces);
    else
        plog(st, "initiating Main Mode");
    rc = spdb_add_oakley(&b, st->c);
    if (rc == ST_NOT_FOUND)
        plog_serious(st, "explain: no usable proposal: no authentication method, or nothing that this daemon "
                         "can do in ike=");
    if (rc == ST_OK)
        rc = buf_assign(&i->sa_body, ikev1_builder_last_body(&b));
    if (rc == ST_OK) {
        main_add_vendor_ids(i, &b);
        rc = engine_send(i, &st->tx, ISAKMP_XCHG_IDPROT, 0, &b, NULL);
    }
    ikev1_builder_free(&b);
    if (rc == ST_OK)
        engine_started(st, STATE_MAIN_I1, "initiate");
    return rc;
}

verdict main_in_R1_out_I2(msgctx *md)
{
    ike *i = md->i;
    oakley_choice ch;
    const ikev1_payload *sa = ikev1_find(&md->m, PLV1_SA);
    msgbuf why;
    main_take_vendor_ids(md);
    status st = spdb_choose_oakley(md->st, md->st->c, &sa->sa, true, false, &ch, &why);
    if (st != ST_OK)
        return sm_fail(md, SM_FAIL, st == ST_INVALID ? NV1_BAD_PROPOSAL_SYNTAX : NV1_NO_PROPOSAL_CHOSEN,
                       "the peer's choice is not one of our proposals. explain: %s", why.text);
    i->auth = ch.auth;
    i->group = ch.group;
    i->life_s = md->st->c->c->ikelifetime_s < ch.life_s ? md->st->c->c->ikelifetime_s : ch.life_s;
    if (keymat_init(&i->keys, md->p->e->crypto, ch.encr, ch.key_bits, ch.hash) != ST_OK)
        return sm_fail(md, SM_FAIL, NV1_NO_PROPOSAL_CHOSEN, "the peer's choice cannot be used");
    if (main_make_ke(i, &md->why) != ST_OK)
        return SM_IGNORE;
    if ((st = ike_set_cookies(i, md->m.h.rcookie)) != ST_OK)
        return sm_fail(md, SM_IGNORE, 0, "cookies %s", status_text(st));
    main_add_ke(i, &md->reply);
    natt_add_hashes(i, &md->reply);
    return SM_OK;
}

verdict main_in_R2_out_I3(msgctx *md)
{
    ike *i = md->i;
    verdict v;
    status st;
    main_take_vendor_ids(md);
    main_take_certreqs(md);
    if ((v = main_take_ke(md)) != SM_OK || (v = main_derive(md, ikev1_find(&md->m, PLV1_KE))) != SM_OK)
        return v;
    natt_take_hashes(md);
    if ((st = main_add_auth(i, &md->reply, &md->why)) != ST_OK) {
        msgbuf why = md->why;
        return sm_fail(md, SM_FATAL, st == ST_NOT_FOUND ? NV1_AUTHENTICATION_FAILED : 0, "%s", why.text);
    }
    natt_float(i);
    return SM_OK;
}

verdict main_in_R3(msgctx *md)
{
    return main_take_auth(md);
}
