/* UDP for IKE: sockets on 500 and 4500, IPv4 and IPv6, with the local address of each packet known; batches
 * in both directions; the two-daemons-one-port scheme (design.md, decision 4). Behind a const table, because
 * the simulator has a network of its own.
 */
#pragma once
#include "libfreeswan/addr/addr.h"
#include "libstrongswan/base/log.h"
#include "libstrongswan/run/runtime.h"
#include <sys/uio.h>

enum { NET_MAX_PACKET = 65535, IKE_PORT = 500, IKE_NATT_PORT = 4500 };

/* A received datagram; owned by whoever gets it. The non-ESP marker is cut off. */
typedef struct packet {
    endpoint local, remote;
    bool natt; /* came to (or goes from) the NAT-T port: carries a non-ESP marker on the wire */
    size_t n;
    uint8_t data[]; /* n octets */
} packet;
status packet_new(packet **out, const endpoint *local, const endpoint *remote, bool natt,
                  span data) MUST_CHECK;
void packet_free(packet *p);
static inline span packet_span(const packet *p)
{
    return span_of(p->data, p->n);
}

typedef struct net net;
/* Called for each packet, on the loop thread: must not block; owns the packet. */
typedef void net_ike_fn(void *ctx, packet *p);
/* UDP-encapsulated ESP that the kernel did not take (userland ESP). data is valid during the call. It may
 * hold several datagrams the kernel has put together (UDP_GRO): each has seg octets, the last one may have
 * less. */
typedef void net_esp_fn(void *ctx, const endpoint *local, const endpoint *remote, span data, size_t seg);

typedef struct net_ops {
    /* Copies and queues; marker added when natt. May be called from any thread. ST_IO is reported but a loss
     * is normal. */
    status (*send)(net *n, const endpoint *local, const endpoint *remote, bool natt, span data);
    /* the same without marker: ESP-in-UDP and the one-octet keepalive */
    status (*send_raw)(net *n, const endpoint *local, const endpoint *remote, span data);
    /* Many of these with one system call: n_parts datagrams of seg octets, only the last may be shorter;
     * together at most 60000 octets and 64 parts. May wait for room, so only from threads of one's own. May
     * be NULL (simulator): send_raw. */
    status (*send_train)(net *n, const endpoint *local, const endpoint *remote, const struct iovec *parts,
                         size_t n_parts, size_t seg);
    void (*set_ike)(net *n, net_ike_fn *fn, void *ctx);
    void (*set_esp)(net *n, net_esp_fn *fn, void *ctx);
    uint16_t (*port)(net *n, bool natt); /* own port numbers */
    void (*free)(net *n);
} net_ops;
struct net {
    const net_ops *ops;
};
static inline status net_send(net *n, const endpoint *local, const endpoint *remote, bool natt, span data)
{
    return n->ops->send(n, local, remote, natt, data);
}

/* ---- the real one ---- */
typedef enum net_role { NET_ROLE_IKEV1, NET_ROLE_OTHER, NET_ROLE_ALL } net_role; /* pluto, charon, alone */
typedef struct net_udp_config {
    net_role role;
    uint16_t port, natt_port; /* 0 = 500, 4500 */
    const ip_addr *listen;    /* bind only to it; NULL = any */
    uint32_t mark;            /* SO_MARK, so that our own packets avoid table 220; 0 = none */
    bool udp_encap;           /* set UDP_ENCAP on the NAT-T sockets (kernel ESP) */
    log_scope log;
} net_udp_config;
/* Descriptors inherited from starter ($CYGNET_SOCKETS, see net_prepare_sockets) are used if there are any. */
status net_udp_new(net **out, runtime *rt, const net_udp_config *cfg, msgbuf *msg) MUST_CHECK;
/* starter: opens the REUSEPORT groups for both daemons, attaches the BPF program. fds: descriptors of one
 * daemon, env: the value for $CYGNET_SOCKETS. */
enum { NET_FDS = 4 }; /* 500/v4, 4500/v4, 500/v6, 4500/v6; -1 where the family is missing */
typedef struct net_sockets {
    int fd[NET_FDS];
} net_sockets;
status net_prepare_sockets(net_sockets *pluto, net_sockets *charon, const net_udp_config *cfg,
                           msgbuf *msg) MUST_CHECK;
void net_close_sockets(net_sockets *s);
char *net_sockets_env(const net_sockets *s, char *dst, size_t size);
#define NET_SOCKETS_ENV "CYGNET_SOCKETS"
/* With two userland-ESP daemons on one port the first octet's lowest bit of an SPI tells whose it is: pluto
 * odd, charon even. The BPF program looks at it. */
#define ESP_SPI_PLUTO_BIT 0x01000000u
