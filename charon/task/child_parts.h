/* Pieces that the two halves of a CHILD_SA negotiation share. */
#pragma once
#include "charon/task/child_neg.h"

enum { IPCOMP_DEFLATE = 2 };

/* Our proposals with the SPI put in, and without groups where there is no KE. The caller frees. */
proposals *child_proposals(const peer_cfg *cfg, bool no_dh, uint32_t spi);
uint16_t child_first_group(const proposals *ps);
/* Whose address stands for a `dynamic` selector: the virtual one if there is one. */
const ip_addr *child_host(const ike_sa *sa, bool mine);
/* What both sides want, without selectors that another one covers. */
size_t child_narrow(const traffic_sel *ours, size_t n_ours, const traffic_sel *theirs, size_t n_theirs,
                    traffic_sel *out, size_t max);
bool child_is_host_to_host(const ike_sa *sa, const child_sa *c);
void child_ts_seen(const ike_sa *sa, traffic_sel *ts, size_t n, bool mine);
bool child_transport_possible(const ike_sa *sa, const child_sa *c);
void child_add_ipcomp(const child_sa *c, ikev2_builder *out);
uint16_t child_read_ipcomp(const ikev2_msg *in);
