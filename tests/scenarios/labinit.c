/* First process of a scenario host: mounts what a host has of its own (proc, sys, dev, run, tmp), receives
 * syslog like a syslogd with the usual Debian rules (auth and authpriv to auth.log, daemon to daemon.log,
 * everything to syslog), answers on port 22 with an sshd of its own for each caller (so that a scenario that
 * never uses ssh pays nothing for it), and reaps orphans. Ends, and the host's processes with it, when its
 * standard input is closed by the runner.
 *
 *   labinit [uml]      uml: sysfs of the guest needs no special care, otherwise the same
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "labinit: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void make_dev(void)
{
    static const struct {
        const char *path;
        unsigned major, minor;
    } nodes[] = {
        {"/dev/null", 1, 3},    {"/dev/zero", 1, 5}, {"/dev/full", 1, 7},
        {"/dev/random", 1, 9}, /* never blocks, also in a young guest */
        {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},  {"/dev/net/tun", 10, 200},
    };
    must(mount("dev", "/dev", "tmpfs", MS_NOSUID, "mode=755"), "mount /dev");
    must(mkdir("/dev/net", 0755), "mkdir /dev/net");
    must(mkdir("/dev/shm", 01777), "mkdir /dev/shm");
    mkdir("/dev/pts", 0755);
    if (mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666") == 0)
        must(symlink("pts/ptmx", "/dev/ptmx"), "/dev/ptmx");
    for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
        must(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), nodes[i].path);
        chmod(nodes[i].path, 0666);
    }
    must(symlink("/proc/self/fd", "/dev/fd"), "/dev/fd");
    must(symlink("/proc/self/fd/0", "/dev/stdin"), "/dev/stdin");
    must(symlink("/proc/self/fd/1", "/dev/stdout"), "/dev/stdout");
    must(symlink("/proc/self/fd/2", "/dev/stderr"), "/dev/stderr");
}

static int open_dev_log(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(fd, "socket");
    must(bind(fd, (struct sockaddr *)&un, sizeof(un)), "bind /dev/log");
    chmod("/dev/log", 0666);
    int size = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    return fd;
}

/* IPv4 and IPv6 in one socket; IPv4 alone where the kernel has no IPv6 */
static int open_ssh(void)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(22)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(22)};
    int on = 1, off = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool v6 = fd >= 0;
    if (v6)
        must(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), "IPV6_V6ONLY");
    else
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    must(v6 ? bind(fd, (struct sockaddr *)&any6, sizeof(any6))
            : bind(fd, (struct sockaddr *)&any4, sizeof(any4)),
         "bind port 22");
    must(listen(fd, 16), "listen");
    return fd;
}

static void serve_ssh(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (fork() == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        setsid();
        signal(SIGPIPE, SIG_DFL);
        if (null >= 0 && dup2(fd, 0) == 0 && dup2(fd, 1) == 1 && dup2(null, 2) == 2)
            execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-i", (char *)NULL);
        _exit(1);
    }
    close(fd);
}

static void append(const char *path, const char *line, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return;
    if (write(fd, line, n) < 0)
        perror(path);
    close(fd);
}

/* "<PRI>Mon DD hh:mm:ss ident[pid]: text" as glibc's syslog() sends it */
static void log_one(char *msg, ssize_t n, const char *host)
{
    int pri = 13;
    char *text = msg, *end;
    while (n > 0 && (msg[n - 1] == '\n' || msg[n - 1] == 0))
        n--;
    msg[n] = 0;
    if (*text == '<') {
        pri = (int)strtol(text + 1, &end, 10);
        text = *end == '>' ? end + 1 : end;
    }
    if (strlen(text) > 16 && text[3] == ' ' && text[6] == ' ' && text[9] == ':')
        text += 16;
    char stamp[32], line[9000];
    time_t now = time(NULL);
    struct tm tm;
    strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", localtime_r(&now, &tm));
    int len = snprintf(line, sizeof(line), "%s %s %s\n", stamp, host, text);
    if (len < 0)
        return;
    size_t put = (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1;
    int facility = pri >> 3;
    append("/var/log/syslog", line, put);
    if (facility == 4 || facility == 10)
        append("/var/log/auth.log", line, put);
    else if (facility == 3)
        append("/var/log/daemon.log", line, put);
}

int main(void)
{
    char host[64] = "host";
    must(mount("proc", "/proc", "proc", 0, NULL), "mount /proc");
    must(mount("sysfs", "/sys", "sysfs", 0, NULL), "mount /sys");
    must(mount("run", "/run", "tmpfs", 0, "mode=755"), "mount /run");
    must(mount("tmp", "/tmp", "tmpfs", 0, "mode=1777"), "mount /tmp");
    make_dev();
    /* TCP gets past a gateway whose firewall drops "fragmentation needed" */
    append("/proc/sys/net/ipv4/tcp_mtu_probing", "2", 1);
    mkdir("/run/lock", 01777);
    mkdir("/run/netns", 0755);
    mkdir("/run/sshd", 0755);
    gethostname(host, sizeof(host) - 1);
    int log = open_dev_log(), ssh = open_ssh();
    signal(SIGPIPE, SIG_IGN);
    puts("ready");
    fflush(stdout);
    struct pollfd fds[3] = {
        {.fd = log, .events = POLLIN}, {.fd = 0, .events = POLLIN}, {.fd = ssh, .events = POLLIN}};
    for (;;) {
        int rc = poll(fds, 3, 200);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (rc <= 0)
            continue;
        if (fds[0].revents & POLLIN) {
            char msg[8192];
            ssize_t n = recv(log, msg, sizeof(msg) - 1, 0);
            if (n > 0)
                log_one(msg, n, host);
        }
        if (fds[2].revents & POLLIN)
            serve_ssh(ssh);
        if (fds[1].revents) {
            char c;
            if (read(0, &c, 1) <= 0)
                return 0;
        }
    }
}
