/* Asking on the controlling terminal, whatever standard input and output are. */
#include "libstrongswan/run/terminal.h"

#include "libstrongswan/base/secret.h"

#include <fcntl.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

size_t terminal_ask(span text, bool echo, char *answer, size_t size)
{
    struct termios was, quiet;
    size_t n = 0;
    char c;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return 0;
    bool hide = !echo && tcgetattr(fd, &was) == 0;
    if (hide) {
        quiet = was;
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
        (void)tcsetattr(fd, TCSAFLUSH, &quiet);
    }
    dprintf(fd, "%.*s ", (int)text.n, (const char *)text.p);
    while (n < size && read(fd, &c, 1) == 1 && c != '\n')
        answer[n++] = c;
    wipe(&c, 1);
    if (hide) {
        (void)tcsetattr(fd, TCSAFLUSH, &was);
        dprintf(fd, "\n");
    }
    close(fd);
    return n;
}
