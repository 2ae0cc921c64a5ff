/* All IKE_SAs of the engine, found by our SPI, by serial number, by the first message's SPI and address
 * (retransmissions of IKE_SA_INIT), by peer identity (uniqueids) and by peer address while half-open. Any
 * thread; sharded locks. What a look-up returns is referenced for the caller.
 */
#pragma once
#include "charon/sa/index.h"
#include "libfreeswan/addr/addr.h"
#include "libstrongswan/cred/ident.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct ike_sa ike_sa;
typedef struct sa_table sa_table;
typedef struct sa_nodes {
    idx_node spi, unique, init, id, host;
} sa_nodes;

status sa_table_new(sa_table **out) MUST_CHECK;
void sa_table_free(sa_table *t); /* empty by then */
/* The SA's own SPI must be set; the table holds a reference until sa_table_remove(). */
void sa_table_add(sa_table *t, ike_sa *sa);
void sa_table_remove(sa_table *t, ike_sa *sa);   /* from all indexes; doing it twice is harmless */
void sa_table_add_init(sa_table *t, ike_sa *sa); /* responder: spi_i, remote and init_hash are set */
void sa_table_add_host(sa_table *t, ike_sa *sa); /* responder, half-open */
void sa_table_remove_host(sa_table *t, ike_sa *sa);
void sa_table_add_id(sa_table *t, ike_sa *sa); /* established: peer_id is set */

ike_sa *sa_table_by_spi(sa_table *t, uint64_t own_spi);
ike_sa *sa_table_by_unique(sa_table *t, uint64_t unique);
/* *changed: there is an SA of that initiator SPI and address, but its first message was another one. */
ike_sa *sa_table_by_init(sa_table *t, uint64_t spi_i, const endpoint *remote, uint64_t init_hash,
                         bool *changed);
unsigned sa_table_half_open_of(sa_table *t, const ip_addr *peer);
/* Snapshots by serial number; the caller unrefs each and frees the array. NULL and 0: none or no memory. */
ike_sa **sa_table_all(sa_table *t, size_t *n);
ike_sa **sa_table_by_id(sa_table *t, const ident *peer_id, size_t *n);
void sa_list_free(ike_sa **sas, size_t n);
size_t sa_table_count(sa_table *t);
