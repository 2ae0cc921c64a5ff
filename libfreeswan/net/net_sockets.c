/* Opening the sockets, and how two daemons share the two ports.
 *
 * pluto's and charon's sockets form one SO_REUSEPORT group per port and family. A classic BPF program on the
 * group gets the UDP payload and returns the number of the member (in the order of binding) that shall have
 * the packet: it looks at the IKE major version, behind the non-ESP marker on the NAT-T port, and for
 * UDP-encapsulated ESP at the bit of the SPI that tells the two daemons' userland ESP apart. starter opens
 * both members of each group and passes them down; a daemon started by hand finds out whether the other is
 * there already and attaches the program when it comes second.
 */
#include "libfreeswan/kernel/kernel.h"
#include "libfreeswan/net/net_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef UDP_ENCAP_ESPINUDP
enum { UDP_ENCAP_ESPINUDP = 2 };
#endif

enum { RECEIVE_BUFFER = 4 << 20, SEND_BUFFER = 1 << 20, VERSION_AT = 17, MARKER = 4 };

/* ---- the program ---- */

int net_attach_program(int fd, bool natt, unsigned pluto)
{
    const unsigned charon = 1 - pluto;
    // clang-format off
    struct sock_filter ike[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, VERSION_AT, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, VERSION_AT),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, charon),
        BPF_STMT(BPF_RET | BPF_K, pluto),
    };
    struct sock_filter floated[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, MARKER, 0, 9),              /* a keepalive */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),                          /* ESP: highest octet of the SPI */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, ESP_SPI_PLUTO_BIT >> 24, 6, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, MARKER + VERSION_AT, 0, 3),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, MARKER + VERSION_AT),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, charon),
        BPF_STMT(BPF_RET | BPF_K, pluto),
    };
    // clang-format on
    struct sock_fprog prog = natt ? (struct sock_fprog){sizeof(floated) / sizeof(floated[0]), floated}
                                  : (struct sock_fprog){sizeof(ike) / sizeof(ike[0]), ike};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof(prog));
}

/* ---- one socket ---- */

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value));
}

static int bind_socket(int fd, const net_udp_config *cfg, int index)
{
    uint16_t dflt = sock_is_natt(index) ? IKE_NATT_PORT : IKE_PORT;
    uint16_t port = sock_is_natt(index) ? cfg->natt_port : cfg->port;
    endpoint e = {.ip = addr_any(sock_family(index)), .port = port ? port : dflt};
    if (cfg->listen)
        e.ip = *cfg->listen;
    struct sockaddr_storage sa;
    socklen_t n = endpoint_to_sockaddr(&e, &sa);
    return bind(fd, (struct sockaddr *)&sa, n);
}

static void mark_socket(int fd, const net_udp_config *cfg)
{
    if (cfg->mark && set_int(fd, SOL_SOCKET, SO_MARK, (int)cfg->mark))
        LOG(&cfg->log, NET, 1, "unable to set SO_MARK on a socket: %s", strerror(errno));
}

static int close_keeping_errno(int fd)
{
    int e = errno;
    close(fd);
    errno = e;
    return -1;
}

int net_open_socket(const net_udp_config *cfg, int index, bool reuse)
{
    int family = sock_family(index);
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (reuse && set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return close_keeping_errno(fd);
    if (family == AF_INET6 && set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
        return close_keeping_errno(fd);
    if (family == AF_INET6 ? set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                           : set_int(fd, IPPROTO_IP, IP_PKTINFO, 1))
        return close_keeping_errno(fd);
    if (bind_socket(fd, cfg, index))
        return close_keeping_errno(fd);
    set_int(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
    set_int(fd, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
    if (kernel_bypass_socket(fd) ==
        ST_IO) /* our own packets are never protected by the policies we install */
        LOG(&cfg->log, NET, 1, "unable to exempt a socket from IPsec policies: %s", strerror(errno));
    mark_socket(fd, cfg);
    if (cfg->udp_encap && sock_is_natt(index) && set_int(fd, SOL_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP))
        LOG(&cfg->log, NET, 1, "the kernel takes no UDP-encapsulated ESP over IPv%c: %s",
            family == AF_INET6 ? '6' : '4', strerror(errno));
    return fd;
}

static bool wants_family(const net_udp_config *cfg, int index)
{
    return !cfg->listen || addr_is_any(cfg->listen) || cfg->listen->family == sock_family(index);
}

/* IPv6 may be absent from the machine. */
static bool family_missing(int index, int error)
{
    return sock_family(index) == AF_INET6 && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

static const net_sockets no_sockets = {{-1, -1, -1, -1}};

static status open_failed(const net_udp_config *cfg, int index, msgbuf *msg)
{
    uint16_t port = sock_is_natt(index) ? cfg->natt_port : cfg->port;
    uint16_t dflt = sock_is_natt(index) ? IKE_NATT_PORT : IKE_PORT;
    return msg_fail(msg, ST_IO, "unable to open UDP port %u (IPv%c): %s", port ? port : dflt,
                    sock_family(index) == AF_INET6 ? '6' : '4', strerror(errno));
}

/* ---- for starter ---- */

/* Opens `index` for both daemons, pluto first: that makes it member 0 of the group. */
static status prepare_pair(net_sockets *pluto, net_sockets *charon, const net_udp_config *cfg, int index,
                           msgbuf *msg)
{
    bool both = pluto && charon;
    net_sockets *order[] = {pluto, charon};
    for (size_t i = 0; i < 2; i++) {
        if (!order[i])
            continue;
        int fd = net_open_socket(cfg, index, both);
        if (fd < 0 && family_missing(index, errno))
            return ST_OK;
        if (fd < 0)
            return open_failed(cfg, index, msg);
        order[i]->fd[index] = fd;
    }
    if (both && net_attach_program(pluto->fd[index], sock_is_natt(index), 0))
        return msg_fail(msg, ST_IO, "unable to share a UDP port between the daemons: %s", strerror(errno));
    return ST_OK;
}

status net_prepare_sockets(net_sockets *pluto, net_sockets *charon, const net_udp_config *cfg, msgbuf *msg)
{
    status st = ST_OK;
    if (pluto)
        *pluto = no_sockets;
    if (charon)
        *charon = no_sockets;
    for (int i = 0; i < NET_FDS && st == ST_OK; i++)
        if (wants_family(cfg, i))
            st = prepare_pair(pluto, charon, cfg, i, msg);
    if (st == ST_OK)
        return ST_OK;
    if (pluto)
        net_close_sockets(pluto);
    if (charon)
        net_close_sockets(charon);
    return st;
}

void net_close_sockets(net_sockets *s)
{
    for (int i = 0; i < NET_FDS; i++)
        if (s->fd[i] >= 0)
            close(s->fd[i]);
    *s = no_sockets;
}

char *net_sockets_env(const net_sockets *s, char *dst, size_t size)
{
    snprintf(dst, size, "%d,%d,%d,%d", s->fd[0], s->fd[1], s->fd[2], s->fd[3]);
    return dst;
}

/* ---- for a daemon ---- */

static bool is_udp_socket(int fd, int family)
{
    int domain = 0, type = 0;
    socklen_t n = sizeof(int);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == family &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_DGRAM;
}

status net_inherit(net_sockets *out, msgbuf *msg)
{
    const char *text = getenv(NET_SOCKETS_ENV);
    *out = no_sockets;
    if (!text)
        return ST_NOT_FOUND;
    net_sockets s;
    int end = 0;
    bool good = sscanf(text, "%d,%d,%d,%d%n", &s.fd[0], &s.fd[1], &s.fd[2], &s.fd[3], &end) == NET_FDS &&
                !text[end];
    for (int i = 0; good && i < NET_FDS; i++)
        good = s.fd[i] == -1 || (s.fd[i] > STDERR_FILENO && is_udp_socket(s.fd[i], sock_family(i)));
    if (!good)
        return msg_fail(msg, ST_INVALID, "%s='%s' does not name our sockets", NET_SOCKETS_ENV, text);
    for (int i = 0; i < NET_FDS; i++)
        if (s.fd[i] >= 0) {
            fcntl(s.fd[i], F_SETFD, FD_CLOEXEC);
            fcntl(s.fd[i], F_SETFL, O_NONBLOCK);
        }
    unsetenv(NET_SOCKETS_ENV);
    *out = s;
    return ST_OK;
}

void net_mark_sockets(const net_sockets *s, const net_udp_config *cfg)
{
    for (int i = 0; i < NET_FDS; i++)
        if (s->fd[i] >= 0)
            mark_socket(s->fd[i], cfg);
}

/* Does somebody have the port already? Then we shall be member 1 of its group. */
static bool port_taken(const net_udp_config *cfg, int index)
{
    int fd = net_open_socket(cfg, index, false);
    if (fd >= 0)
        close(fd);
    return fd < 0 && errno == EADDRINUSE;
}

static status open_one(net_sockets *out, const net_udp_config *cfg, int index, msgbuf *msg)
{
    bool reuse = cfg->role != NET_ROLE_ALL;
    bool second = reuse && port_taken(cfg, index);
    int fd = net_open_socket(cfg, index, reuse);
    if (fd < 0 && family_missing(index, errno))
        return ST_OK;
    if (fd < 0)
        return open_failed(cfg, index, msg);
    out->fd[index] = fd;
    if (second && net_attach_program(fd, sock_is_natt(index), cfg->role == NET_ROLE_IKEV1 ? 1 : 0))
        return msg_fail(msg, ST_IO, "unable to share a UDP port with the other daemon: %s", strerror(errno));
    return ST_OK;
}

status net_open_own(net_sockets *out, const net_udp_config *cfg, msgbuf *msg)
{
    status st = ST_OK;
    *out = no_sockets;
    for (int i = 0; i < NET_FDS && st == ST_OK; i++)
        if (wants_family(cfg, i))
            st = open_one(out, cfg, i, msg);
    if (st != ST_OK)
        net_close_sockets(out);
    return st;
}
