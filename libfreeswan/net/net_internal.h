/* Shared by the files of the real network only. */
#pragma once
#include "libfreeswan/net/net.h"

/* Index into net_sockets: by port, then family. */
enum { SOCK_IKE4, SOCK_NATT4, SOCK_IKE6, SOCK_NATT6 };
static inline int sock_index(int family, bool natt)
{
    return (family == AF_INET6 ? SOCK_IKE6 : SOCK_IKE4) + (natt ? 1 : 0);
}
static inline bool sock_is_natt(int index)
{
    return index == SOCK_NATT4 || index == SOCK_NATT6;
}
static inline int sock_family(int index)
{
    return index >= SOCK_IKE6 ? AF_INET6 : AF_INET;
}

/* One socket, bound. -1 and errno. `reuse`: part of a SO_REUSEPORT group. */
int net_open_socket(const net_udp_config *cfg, int index, bool reuse);
/* The program that picks the socket of a group: IKEv1 goes to group member `pluto` (0 or 1), the rest to the
 * other. */
int net_attach_program(int fd, bool natt, unsigned pluto);
/* Sockets for one daemon started by hand. Joins the group of the other daemon if that runs. */
status net_open_own(net_sockets *out, const net_udp_config *cfg, msgbuf *msg) MUST_CHECK;
/* From $CYGNET_SOCKETS. ST_NOT_FOUND: not set; ST_INVALID: not sockets of ours. */
status net_inherit(net_sockets *out, msgbuf *msg) MUST_CHECK;
/* Sets cfg->mark on sockets that were opened by somebody who may not have known it. */
void net_mark_sockets(const net_sockets *s, const net_udp_config *cfg);
