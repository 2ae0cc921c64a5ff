/* Shared by the files of the simulator's library. */
#pragma once
#include "tests/sim/lib/sim.h"

enum { MAX_ROUTES = 64, MAX_VIPS = 32, NAT_PORT_SHIFT = 20000 };

typedef struct sim_net {
    net base;
    sim_host *host;
    net_ike_fn *ike;
    void *ike_ctx;
    net_esp_fn *esp;
    void *esp_ctx;
} sim_net;

typedef struct counted_ip {
    ip_addr ip;
    char dev[HOST_IFNAME];
    unsigned users;
} counted_ip;

typedef struct sim_hostops {
    host base;
    sim_host *host;
    counted_ip vips[MAX_VIPS];
    host_route routes[MAX_ROUTES];
    unsigned route_users[MAX_ROUTES];
    void (*changed)(void *ctx);
    void *changed_ctx;
} sim_hostops;

struct sim_host {
    sim *s;
    unsigned index;
    char name[32], daemon[16];
    ip_addr addrs[SIM_MAX_ADDRS];
    size_t n_addrs;
    bool natted, unplugged;
    ip_addr nat;
    unsigned nat_epoch; /* ports change when the mapping is made anew */
    unsigned keepalives;
    sim_net net;
    sim_hostops ops;
    env env;
};

/* A datagram under way. */
typedef struct flight {
    list_node node;
    uint64_t serial;
    endpoint from, to;
    bool raw, natt;
    bool behind_next; /* waits for the next packet to be sent */
    timer_id timer;
    size_t n;
    uint8_t data[];
} flight;

struct sim {
    runtime *rt;
    clock_source clock;
    int64_t now_ms, wall_offset_s;
    uint64_t last_flight;
    list flights;
    sim_host *hosts[SIM_MAX_HOSTS];
    unsigned n_hosts;
    unsigned sent;
    uint64_t octets;
    struct {
        unsigned k;
        sim_fate fate;
    } fates[SIM_MAX_FATES];
    unsigned n_fates;
    sim_tap_fn *tap;
    void *tap_ctx;
    uint64_t seed;
    int log_level;
    bool spins;
};

void sim_net_init(sim_host *h);
void sim_ops_init(sim_host *h);
void sim_flights_free(sim *s);
bool sim_has_addr(const sim_host *h, const ip_addr *a);
void sim_rng_seed(uint64_t seed);
