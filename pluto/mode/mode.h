/* Handlers of the state table and what the modes share. One file a mode. */
#pragma once
#include "pluto/sm/engine.h"

/* main_i.c, main_r.c, main_auth.c */
sm_fn main_in_I1_out_R1, main_in_I2_out_R2, main_in_I3_out_R3, main_in_R1_out_I2, main_in_R2_out_I3,
    main_in_R3;
void main_address_proven(msgctx *md); /* the second message came, with our cookie */
void main_established(msgctx *md);
/* Messages 5 and 6: our ID, certificates, proof; the peer's. */
status main_add_auth(ike *i, ikev1_builder *b, msgbuf *msg) MUST_CHECK;
verdict main_take_auth(msgctx *md);
/* KE and nonce: makes ours, takes theirs, derives the keys. */
status main_make_ke(ike *i, msgbuf *msg) MUST_CHECK;
void main_add_ke(ike *i, ikev1_builder *b);
verdict main_take_ke(msgctx *md);
verdict main_derive(msgctx *md, const ikev1_payload *ke);
void main_add_vendor_ids(ike *i, ikev1_builder *b);
void main_take_vendor_ids(msgctx *md);
void main_add_certreqs(ike *i, ikev1_builder *b);
void main_take_certreqs(msgctx *md);
void keymat_input_of(const ike *i, keymat_input *in);
status main_find_psk(ike *i, secret *out, msgbuf *msg) MUST_CHECK;

/* lookup.c: which conn the peer means */
verdict lookup_for_I1(msgctx *md, const ikev1_sa *sa);
verdict lookup_for_peer_id(msgctx *md, pconn **out); /* referenced */
verdict lookup_settle(msgctx *md, pconn *c);
bool conn_accepts_peer_id(const pconn *c, const ident *id);

/* quick.c, quick_i.c, quick_r.c */
sm_fn quick_in_I1_out_R1, quick_in_R1_out_I2, quick_in_I2;
void quick_established(msgctx *md);
status quick_make_child(quick *q, bool with_ipcomp, msgbuf *msg) MUST_CHECK; /* kchild and SPIs */
status quick_install(quick *q, bool inbound, msgbuf *msg) MUST_CHECK;
char *quick_story(const quick *q, char *dst, size_t size); /* " {ESP=>0x… <0x…}" */
verdict quick_take_nonce(msgctx *md, buf *out);
void quick_add_ids(quick *q, ikev1_builder *b);
void quick_add_natoa(quick *q, ikev1_builder *b);
void quick_take_natoa(msgctx *md);
bool quick_ts_from_id(const ikev1_id *id, traffic_sel *out, msgbuf *why);

/* info.c, modecfg.c */
sm_fn info_protected, info_clear, cfg_receive;

void info_take_notify(msgctx *md, const ikev1_notify *n);

/* dpd.c */
void dpd_in_request(ike *i, const ikev1_notify *n);
void dpd_in_ack(ike *i, const ikev1_notify *n);

/* natt.c */
void natt_add_hashes(ike *i, ikev1_builder *b);
void natt_take_hashes(msgctx *md);
void natt_float(ike *i);
/* The peer's packets come from another port now. */
void natt_follow(msgctx *md);
