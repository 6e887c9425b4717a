/* The greenhouse as a process on UDP: a real device for development and for the demo. */

#include "../../greenhouse/greenhouse.h"
#include "eeprom.h"
#include "udp.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CLAIM_WINDOW = 6000, TURN_MS = 100, BATCH = 64 }; /* ticks: 10 minutes after the start; milliseconds; messages between two polls */

static const char usage[] =
    "usage: greenhouse-posix --state FILE [--setup EDGDEV1-...] [--listen HOST:PORT] [--period-ms N] [--print-ready]\n"
    "\n"
    "  --state FILE      the device's EEPROM; made on first use, which needs --setup\n"
    "  --setup CODE      the device's setup code\n"
    "  --listen H:P      where to serve CoAP over UDP (default 127.0.0.1:0: a free port)\n"
    "  --period-ms N     milliseconds between two temperatures, in steps of 100 (default 10000)\n"
    "  --print-ready     print \"ready udp HOST:PORT\" once it serves\n"
    "  --reset           factory reset first: forgets owner, logs and clock\n"
    "  --provision       only make the state file, as a factory does: for the other boards too\n"
    "\n"
    "example: greenhouse-posix --state greenhouse.eeprom --setup EDGDEV1-... --listen 127.0.0.1:5690 --print-ready\n";

typedef struct options {
    const char *listen, *state, *setup;
    unsigned long period_ms;
    int print_ready, reset, provision;
} options;

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

static int64_t milliseconds(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One process, one board: what the platform functions need. */
typedef struct board {
    int64_t started;
    edg_platform platform;
    eeprom nv;
    edg_device device;
    greenhouse greenhouse;
    uint8_t in[POSIX_MESSAGE], out[POSIX_MESSAGE];
    udp_peer home; /* who was answered last */
} board;

static uint32_t ticks(void *ctx)
{
    const board *b = ctx;

    return (uint32_t)((milliseconds() - b->started) / 100);
}

static int nv_read(void *ctx, uint16_t addr, void *dst, uint16_t n) { return eeprom_read(&((board *)ctx)->nv, addr, dst, n); }

static int nv_write(void *ctx, uint16_t addr, const void *src, uint16_t n) { return eeprom_write(&((board *)ctx)->nv, addr, src, n); }

static void print_valve(void *ctx, uint8_t percent, uint16_t count)
{
    board *b = ctx;

    printf("{\"event\":\"valve\",\"percent\":%u,\"count\":%u,\"tick\":%lu}\n", percent, count, (unsigned long)ticks(b));
    (void)fflush(stdout);
}

static int parse_options(options *o, int argc, char **argv)
{
    int i;

    memset(o, 0, sizeof *o);
    o->listen = "127.0.0.1:0";
    o->period_ms = 10000;
    for (i = 1; i < argc; i++) {
        const char *name = argv[i];
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;

        if (strcmp(name, "--print-ready") == 0) {
            o->print_ready = 1;
            continue;
        }
        if (strcmp(name, "--reset") == 0) {
            o->reset = 1;
            continue;
        }
        if (strcmp(name, "--provision") == 0) {
            o->provision = 1;
            continue;
        }
        if (value == NULL) {
            (void)fprintf(stderr, "greenhouse-posix: unknown flag %s, or its value is missing\n\n%s", name, usage);
            return -1;
        }
        i++;
        if (strcmp(name, "--listen") == 0) {
            o->listen = value;
        } else if (strcmp(name, "--state") == 0) {
            o->state = value;
        } else if (strcmp(name, "--setup") == 0) {
            o->setup = value;
        } else if (strcmp(name, "--period-ms") == 0) {
            char *end;

            o->period_ms = strtoul(value, &end, 10);
            if (*end != 0 || end == value || o->period_ms < 100 || o->period_ms > 6553500) {
                (void)fprintf(stderr, "greenhouse-posix: --period-ms %s: want 100 to 6553500\n", value);
                return -1;
            }
        } else {
            (void)fprintf(stderr, "greenhouse-posix: unknown flag %s\n\n%s", name, usage);
            return -1;
        }
    }
    if (o->state == NULL) {
        (void)fprintf(stderr, "greenhouse-posix: --state is missing\n\n%s", usage);
        return -1;
    }
    return 0;
}

static unsigned link_flags(board *b, const udp_peer *peer)
{
    if (!udp_is_near(peer))
        return 0;
    return ticks(b) < CLAIM_WINDOW ? EDG_LINK_LOCAL | EDG_LINK_CLAIM : EDG_LINK_LOCAL;
}

/* Nothing is acknowledged before it is durable. -1: the disk failed, and no answer may leave any more. */
static int serve_waiting(board *b, int fd)
{
    udp_peer from;
    int i;

    for (i = 0; i < BATCH; i++) {
        ssize_t n = udp_receive(fd, b->in, sizeof b->in, &from);
        size_t answer;

        if (n < 0)
            break;
        if ((size_t)n > sizeof b->in)
            continue;
        answer = edg_device_handle(&b->device, b->in, (size_t)n, b->out, sizeof b->out, link_flags(b, &from));
        if (eeprom_sync(&b->nv) != 0)
            return -1;
        if (answer > 0) {
            udp_send(fd, b->out, answer, &from);
            b->home = from;
        }
        edg_device_poll(&b->device); /* what a call left to be written */
    }
    return 0;
}

static int serve(board *b, int fd)
{
    while (!stopped) {
        struct pollfd p = {fd, POLLIN, 0};
        uint8_t news[EDG_NEWS_MAX];
        size_t n;

        if (poll(&p, 1, TURN_MS - (int)((milliseconds() - b->started) % TURN_MS)) < 0 && errno != EINTR)
            return -1;
        if (serve_waiting(b, fd) != 0)
            return -1;
        edg_device_poll(&b->device);
        if (eeprom_sync(&b->nv) != 0)
            return -1;
        n = edg_device_news(&b->device, news);
        if (n > 0 && b->home.len > 0)
            udp_send(fd, news, n, &b->home);
    }
    return 0;
}

static int start_device(board *b, const options *o)
{
    int err;

    b->platform.ctx = b;
    b->platform.ticks = ticks;
    b->platform.nv_read = nv_read;
    b->platform.nv_write = nv_write;
    b->greenhouse.on_valve = print_valve;
    b->greenhouse.ctx = b;
    b->greenhouse.period = (uint16_t)(o->period_ms / 100);
    err = edg_device_init(&b->device, &b->platform, &greenhouse_service, &b->greenhouse);
    if (err == EDG_OK && o->reset)
        err = edg_device_factory_reset(&b->device);
    if (err != EDG_OK || eeprom_sync(&b->nv) != 0) {
        (void)fprintf(stderr, "greenhouse-posix: the state file %s cannot be read or written\n", o->state);
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static board b;
    options o;
    edg_setup_code code;
    struct sigaction action;
    const char *why;
    char name[80];
    int fd, err;

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        (void)fputs(usage, stdout);
        return 0;
    }
    if (parse_options(&o, argc, argv) != 0)
        return 2;
    if (o.setup != NULL && edg_setup_code_parse(o.setup, &code) != EDG_OK) {
        (void)fprintf(stderr, "greenhouse-posix: this is no setup code; check it for typing errors\n");
        return 2;
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = stop;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);

    if (eeprom_open(&b.nv, o.state, o.setup != NULL ? &code : NULL, &why) != 0) {
        (void)fprintf(stderr, "greenhouse-posix: state file %s: %s\n", o.state, why);
        return 1;
    }
    if (o.provision) {
        eeprom_close(&b.nv);
        return 0;
    }
    fd = udp_listen(o.listen, &why);
    if (fd < 0 || udp_name(fd, name, sizeof name) != 0) {
        (void)fprintf(stderr, "greenhouse-posix: cannot listen on %s: %s\n", o.listen, why);
        eeprom_close(&b.nv);
        return 1;
    }
    b.started = milliseconds();
    if (start_device(&b, &o) != 0) {
        eeprom_close(&b.nv);
        return 1;
    }
    if (o.print_ready) {
        printf("ready udp %s\n", name);
        (void)fflush(stdout);
    }
    err = serve(&b, fd);
    if (err != 0)
        (void)fprintf(stderr, "greenhouse-posix: state file %s: writing failed; nothing is acknowledged any more\n", o.state);
    eeprom_close(&b.nv);
    return err != 0;
}
