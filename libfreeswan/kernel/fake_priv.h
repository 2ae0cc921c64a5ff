/* What the two halves of the fake kernel share: fake.c keeps, fake_traffic.c looks and sends. */
#pragma once
#include "libfreeswan/kernel/events.h"
#include "libfreeswan/kernel/fake.h"
#include "libfreeswan/kernel/poltab.h"

enum { FAKE_BUCKETS = 4096 }; /* the benches have ten thousand SAs and want the time of the engines */

typedef struct fake {
    kernel base;
    runtime *rt;
    kevents *events;
    unsigned features;
    pthread_mutex_t lock; /* guards everything below */
    list sas;             /* fake_entry, in order of making */
    list by_spi[FAKE_BUCKETS];
    poltab *policies;
    uint64_t serial, calls;
    uint32_t next_spi;
    uint16_t next_cpi;
    unsigned fail_in, fail_times;
    status fail_st;
} fake;

typedef struct fake_entry {
    list_node node, chain; /* on sas, on by_spi */
    fake_sa pub;
    secret encr_key, integ_key;
    timer_id soft, hard;
    bool soft_done;
} fake_entry;

/* with the lock held */
fake_entry *fake_find(fake *f, uint8_t proto, uint32_t spi, const ip_addr *dst);
void fake_expire(fake *f, fake_entry *e, bool hard); /* hard: e is gone */
const char *fake_proto_name(uint8_t proto);
