#include "line.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static int fail(const char *what, const char *path)
{
    fprintf(stderr, "edg-sim: %s %s: %s\n", what, path, strerror(errno));
    return -1;
}

static int make_link(const char *target, const char *path)
{
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (!S_ISLNK(st.st_mode)) {
            fprintf(stderr, "edg-sim: --pty %s exists and is no symbolic link: choose another path\n", path);
            return -1;
        }
        if (unlink(path) != 0) {
            return fail("replace", path);
        }
    }
    if (symlink(target, path) != 0) {
        return fail("link", path);
    }
    return 0;
}

int sim_line_open(struct sim_line *l, const char *link)
{
    struct termios raw;
    l->link = NULL;
    l->slave = -1;
    l->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (l->master < 0 || grantpt(l->master) != 0 || unlockpt(l->master) != 0) {
        return fail("open a", "pseudo-terminal");
    }
    const char *name = ptsname(l->master);
    if (name == NULL || (l->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
        return fail("open", name != NULL ? name : "pseudo-terminal");
    }
    if (tcgetattr(l->slave, &raw) != 0) {
        return fail("set up", name);
    }
    cfmakeraw(&raw);
    cfsetspeed(&raw, B115200);
    if (tcsetattr(l->slave, TCSANOW, &raw) != 0) {
        return fail("set up", name);
    }
    if (make_link(name, link) != 0) {
        return -1;
    }
    l->link = link;
    return 0;
}

void sim_line_close(struct sim_line *l)
{
    if (l->link != NULL) {
        unlink(l->link);
    }
    if (l->slave >= 0) {
        close(l->slave);
    }
    if (l->master >= 0) {
        close(l->master);
    }
    l->link = NULL;
    l->master = l->slave = -1;
}

size_t sim_line_read(const struct sim_line *l, uint8_t *bytes, size_t n)
{
    ssize_t got = read(l->master, bytes, n);
    return got > 0 ? (size_t)got : 0;
}

void sim_line_write(const struct sim_line *l, const uint8_t *bytes, size_t n)
{
    ssize_t put = write(l->master, bytes, n);
    (void)put; /* nobody reads and the buffer is full: the bytes are gone */
}

void sim_line_release(const struct sim_line *l)
{
    (void)ioctl(l->slave, TIOCNXCL);
}
