/*
 * How deep the stack of a board in QEMU gets: starts it as a factory-new device, does to it over UDP what its callers do, and prints the
 * largest of the figures that it tells. Its EEPROM is a file in DIRECTORY meanwhile.
 *
 *     edg-board-stack DIRECTORY qemu-system-arm -M lm3s6965evb -kernel FIRMWARE.elf
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../test/check.h"
#include "chip.h"
#include "life.h"

enum { MAX_ARGUMENTS = 32, FRAMES = 4, FRAME = 43, TRIES = 5, ANSWER_MS = 1000, START_MS = 20000, QUIET_MS = 500 };


static int device = -1; /* socket */
static FILE *console;

/* News comes in between and is let go: only what has the message's ID is its answer. */
static size_t ask(const uint8_t *message, size_t n, uint8_t *answer, size_t cap)
{
    for (int i = 0; i < TRIES; i++) {
        struct pollfd p = {device, POLLIN, 0};
        if (send(device, message, n, 0) != (ssize_t)n) {
            return 0;
        }
        while (poll(&p, 1, ANSWER_MS) > 0) {
            ssize_t got = recv(device, answer, cap, 0);
            if (got >= 4 && answer[1] >= 0x40 && memcmp(answer + 2, message + 2, 2) == 0) {
                return (size_t)got;
            }
        }
    }
    return 0;
}

/* A port that nobody uses just now: the emulator will. */
static int free_port(struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memset(at, 0, sizeof *at);
    at->sin_family = AF_INET;
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof *at) != 0 || getsockname(fd, (struct sockaddr *)at, &len) != 0) {
        return -1;
    }
    return close(fd);
}

static pid_t start(char **argv, int argc, const char *eeprom, uint16_t port)
{
    static char semihosting[256];
    static char network[128];
    char *all[MAX_ARGUMENTS];
    int n = 0;
    int out[2];
    for (; n < argc && n < MAX_ARGUMENTS - 12; n++) {
        all[n] = argv[n];
    }
    snprintf(semihosting, sizeof semihosting, "enable=on,target=native,arg=greenhouse,arg=%s", eeprom);
    snprintf(network, sizeof network, "user,hostfwd=udp:127.0.0.1:%u-10.0.2.15:5683", port);
    static char *const more[] = {"-display", "none", "-monitor", "none", "-serial", "null", "-semihosting-config", semihosting, "-nic", network, NULL};
    memcpy(all + n, more, sizeof more);
    if (pipe(out) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out[1], STDOUT_FILENO);
        dup2(out[1], STDERR_FILENO);
        execvp(all[0], all);
        _exit(127);
    }
    close(out[1]);
    console = fdopen(out[0], "r");
    setvbuf(console, NULL, _IONBF, 0); /* poll must see what has not been read */
    return pid;
}

/* Reads lines until one begins with `wanted` or none comes for `ms`. *stack is raised to what the board says of it. */
static bool listen_for(const char *wanted, int ms, unsigned *stack)
{
    char line[128];
    struct pollfd p = {fileno(console), POLLIN, 0};
    while (poll(&p, 1, ms) > 0 && fgets(line, sizeof line, console) != NULL) {
        unsigned told;
        if (sscanf(line, "stack %u", &told) == 1 && told > *stack) {
            *stack = told;
        }
        if (wanted != NULL && strncmp(line, wanted, strlen(wanted)) == 0) {
            return true;
        }
    }
    return false;
}

static void good(caller *c, int err, uint8_t code)
{
    CHECK_EQ(err, 0);
    CHECK_EQ(c->code, code);
    CHECK(c->tagged);
}

static void owner(const uint8_t ke[32])
{
    static caller c;
    static const uint8_t empty[1];
    uint8_t body[64] = {2, 1, 0, 7};
    caller_init(&c, NULL, NULL, ke, life_hint, 0, 0, empty, 1);
    good(&c, caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), EDG_CONTENT);
    good(&c, caller_call(&c, EDG_POST, "/l/events", NULL, body, 4), EDG_CHANGED);
    good(&c, caller_call(&c, EDG_GET, "/l/events", "s=1&n=255", NULL, 0), EDG_CONTENT);
    edg_store32(body, 1795000000u);
    good(&c, caller_call(&c, EDG_POST, "/t", NULL, body, 4), EDG_CHANGED);
    body[0] = 3;
    body[1] = 1;
    good(&c, caller_call(&c, EDG_POST, "/g", NULL, body, 2), EDG_CHANGED);
    CHECK_EQ(caller_call(&c, EDG_POST, "/l/none", NULL, body, sizeof body), 0);
    CHECK(c.code >= 0x80);
}

/* Salt, hold, two reads, a call and its bound, as many frames as a capability may have. */
static void guest(const uint8_t ke[32])
{
    static caller c;
    static const uint8_t frame[FRAME + 1] = "\x4c\1\2\3\0\x41\xff\x0f\x08\x0cmachine\x0f\x0c\1temperature\x0e\x08valve\x1c\0\0\0\x64";
    uint8_t frames[FRAMES * (FRAME + 1)];
    uint8_t percent = 20;
    for (uint8_t i = 0; i < FRAMES; i++) {
        uint8_t *at = frames + i * (FRAME + 1);
        at[0] = FRAME;
        memcpy(at + 1, frame, FRAME);
        at[5] = i;
    }
    caller_init(&c, NULL, NULL, ke, life_hint, 2, 0, frames, sizeof frames);
    good(&c, caller_open(&c, EDG_POST, "/f/valve", NULL, &percent, 1), EDG_CHANGED);
    c.send_frames = 1;
    good(&c, caller_call(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), EDG_CONTENT);
    good(&c, caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), EDG_CHANGED);
    good(&c, caller_again(&c), EDG_CHANGED);
    percent = 101;
    good(&c, caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0x83);
}

int main(int argc, char **argv)
{
    char eeprom[128];
    uint8_t nv[SIM_EEPROM_BYTES], ke[32];
    struct sockaddr_in at;
    unsigned stack = 0;
    if (argc < 3 || strlen(argv[1]) > sizeof eeprom - sizeof "/stack-XXXXXX") {
        fputs("usage: edg-board-stack DIRECTORY QEMU ARGUMENTS... -kernel FIRMWARE.elf\n", stderr);
        return 2;
    }
    (void)snprintf(eeprom, sizeof eeprom, "%s/stack-XXXXXX", argv[1]);
    int file = mkstemp(eeprom);
    life_make(nv);
    device = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file < 0 || write(file, nv, sizeof nv) != (ssize_t)sizeof nv || device < 0 || free_port(&at) != 0 ||
        connect(device, (struct sockaddr *)&at, sizeof at) != 0) {
        perror("edg-board-stack");
        return 1;
    }
    pid_t pid = start(argv + 2, argc - 2, eeprom, ntohs(at.sin_port));
    life_ask = ask;
    bool ready = pid > 0 && listen_for("ready ", START_MS, &stack);
    CHECK(ready);
    if (ready) {
        CHECK_EQ(life_claim(ke, NULL, NULL), 0);
        CHECK(life_answers());
        owner(ke);
        guest(ke);
        (void)listen_for(NULL, QUIET_MS, &stack);
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    unlink(eeprom);
    CHECK(stack > 0);
    if (check_failures > 0) {
        return 1;
    }
    printf("%u\n", stack);
    return 0;
}
