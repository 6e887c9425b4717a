#include "check_sim.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../test/check.h"
#include "life.h"

static uint32_t seed = 1;

static uint32_t random32(void)
{
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* Nothing can be tested without a chip. */
static void open_board(struct sim_board *b, const char *elf)
{
    if (sim_board_open(b, elf) != 0) {
        exit(1);
    }
}

static void begin(struct sim_board *b, const char *elf, uint8_t ke[32], bool enable_noise)
{
    if (check_begin(b, elf, ke, enable_noise) != 0) {
        exit(1);
    }
}

/* The compression of the chip against the one of the host. */
static void test_compression(const char *elf)
{
    static struct sim_board b;
    uint32_t cycles = 0;

    open_board(&b, elf);
    for (int i = 0; i < 40; i++) {
        uint32_t state[8], got[8];
        uint8_t block[64], spoilt[64];

        for (size_t k = 0; k < 8; k++) {
            state[k] = got[k] = i == 0 ? UINT32_MAX : random32() << 16 ^ random32();
        }
        for (size_t k = 0; k < 64; k++) {
            block[k] = i == 0 ? 0xff : (uint8_t)random32();
        }
        memcpy(spoilt, block, sizeof spoilt);
        uint32_t c = sim_chip_compress(b.chip, got, block);
        edg_sha256_block(state, spoilt);
        CHECK(memcmp(state, got, sizeof state) == 0);
        CHECK(i == 0 || c == cycles); /* whatever the data */
        cycles = c;
    }
    CHECK(cycles < 25000);
    sim_board_close(&b);
}

/* Every kind of request is answered as it should be, with the line never idle. */
static void test_life(const char *elf)
{
    static struct sim_board b;
    uint8_t ke[32];

    begin(&b, elf, ke, true);
    sim_board_run(&b, 400ull * SIM_HZ);
    life_run(ke, NULL, NULL);
    CHECK_EQ(b.resets, 0);
    CHECK_EQ(b.troubles, 0);
    CHECK_EQ(sim_chip_overruns(b.chip), 0);
    CHECK(sim_chip_worst_stack(b.chip) + sim_chip_static_bytes(b.chip) <= SIM_RAM_BYTES - 64);
    sim_board_close(&b);
}

static size_t mutate(uint8_t *m, size_t n, size_t cap)
{
    for (uint32_t k = 1u + random32() % 4u; k > 0; k--) {
        uint32_t at = n > 0 ? random32() % (uint32_t)n : 0;

        switch (random32() % 5u) {
        case 0: m[at] = (uint8_t)random32(); break;
        case 1: m[at] ^= (uint8_t)(1u << random32() % 8u); break;
        case 2: n = n > 1 ? 1u + random32() % (uint32_t)n : n; break;
        case 3:
            if (n < cap) {
                memmove(m + at + 1, m + at, n - at);
                m[at] = (uint8_t)random32();
                n++;
            }
            break;
        default: /* as random as it gets */
            n = 1u + random32() % 64u;
            for (size_t i = 0; i < n; i++) {
                m[i] = (uint8_t)random32();
            }
            break;
        }
    }
    return n;
}

struct raw {
    uint8_t bytes[2 * SIM_MESSAGE];
    size_t n;
};

static void put(void *ctx, uint8_t byte)
{
    struct raw *r = ctx;

    if (r->n < sizeof r->bytes) {
        r->bytes[r->n++] = byte;
    }
}

/* A message with a good check, or a frame that was mangled as a whole. */
static void send_frame(struct sim_board *b, const uint8_t *m, size_t n)
{
    struct raw r = {{0}, 0};

    edg_slip_send(put, &r, m, (uint16_t)n);
    if (random32() % 4u == 0) {
        r.n = mutate(r.bytes, r.n, sizeof r.bytes);
    }
    sim_board_feed(b, r.bytes, r.n);
}

/* 2,000 frames that are no requests, or almost: the chip answers afterwards, and has not been reset by any. */
static void test_hostile_frames(const char *elf)
{
    enum { FRAMES = 2000, KINDS = 4 };
    static struct sim_board b;
    static caller c;
    static uint8_t kinds[KINDS][SIM_MESSAGE];
    size_t lengths[KINDS], long_frames = 0;
    static const uint8_t empty[1] = {0};
    uint8_t ke[32], percent = 5, m[400];

    begin(&b, elf, ke, false);
    caller_init(&c, NULL, NULL, ke, life_hint, 0, 0, empty, 1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/temperature", "a=1.0&n=2", NULL, 0), 0);
    memcpy(kinds[0], c.in, lengths[0] = c.in_len);
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    memcpy(kinds[1], c.in, lengths[1] = c.in_len);
    CHECK_EQ(caller_plain(&c, EDG_GET, "/.well-known/core", NULL, NULL, 0), 0);
    memcpy(kinds[2], c.in, lengths[2] = c.in_len);
    CHECK_EQ(caller_plain(&c, EDG_POST, "/k", NULL, ke, sizeof ke), 0);
    memcpy(kinds[3], c.in, lengths[3] = c.in_len);
    CHECK_EQ(b.valve, 5);
    for (int i = 0; i < FRAMES; i++) {
        uint32_t kind = random32() % KINDS;
        size_t n = lengths[kind];

        memcpy(m, kinds[kind], n);
        if (random32() % 50u == 0) { /* longer than the in-buffer */
            long_frames++;
            memset(m + n, 0x33, sizeof m - n);
            n = sizeof m;
        }
        send_frame(&b, m, mutate(m, n, sizeof m));
        if (i % 100 == 99) {
            sim_board_run(&b, SIM_HZ / 2);
            CHECK(life_answers());
        }
    }
    CHECK(long_frames > 10);
    sim_board_run(&b, SIM_HZ);
    CHECK(life_answers());
    CHECK_EQ(b.valve, 5); /* nobody has moved it */
    CHECK_EQ(b.resets, 0);
    CHECK_EQ(b.troubles, 0);
    CHECK_EQ(b.boot, 1);
    /* The session has survived; a read brings the tick. */
    CHECK_EQ(caller_call(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    CHECK(c.tagged);
    percent = 6;
    CHECK_EQ(caller_call(&c, EDG_POST, "/f/valve", NULL, &percent, 1), 0);
    CHECK_EQ(c.code, EDG_CHANGED);
    CHECK_EQ(b.valve, 6);
    sim_board_close(&b);
}

/* A power cut ends the sessions and keeps the owner; the boot counter goes up by one. */
static void test_power_cycle(const char *elf)
{
    static struct sim_board b;
    static caller c;
    static const uint8_t empty[1] = {0};
    uint8_t ke[32];

    begin(&b, elf, ke, false);
    CHECK_EQ(b.boot, 1);
    caller_init(&c, NULL, NULL, ke, life_hint, 0, 0, empty, 1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    CHECK_EQ(c.code, EDG_CONTENT);
    for (uint16_t boot = 2; boot < 40; boot++) {
        sim_chip_power_cycle(b.chip);
        CHECK_EQ(sim_board_start(&b, 2), 0);
        CHECK_EQ(b.boot, boot);
    }
    CHECK_EQ(caller_call(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NO_SESSION);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    CHECK_EQ(c.code, EDG_CONTENT);
    CHECK(c.tagged);
    sim_board_close(&b);
}

/* Power cuts while a device is claimed: it is claimed by this owner afterwards, or can be claimed; no boot counter comes twice. */
static void test_power_cut_while_claiming(const char *elf)
{
    enum { CUTS = 24 };
    static struct sim_board b;
    static caller c;
    static const uint8_t empty[1] = {0};
    int claimed = 0, open = 0;

    open_board(&b, elf);
    life_on(&b);
    for (unsigned i = 0; i < CUTS; i++) {
        uint8_t ke[32], message[9 + 64] = {0x42, EDG_POST, 7, 7, 1, 1, 0xb1, 'k', 0xff};
        struct raw r = {{0}, 0};
        uint16_t boot;
        size_t n;

        life_make(sim_chip_eeprom(b.chip));
        sim_chip_power_cycle(b.chip);
        CHECK_EQ(sim_board_start(&b, 2), 0);
        boot = b.boot;
        n = life_claim_first(ke, message + 9, NULL, NULL);
        CHECK(n > 0);
        edg_slip_send(put, &r, message, (uint16_t)(9u + n));
        sim_board_feed(&b, r.bytes, r.n);
        sim_board_run(&b, SIM_HZ / 100u + i * (SIM_HZ * 55ull / 100u / CUTS) + random32() % 100000u);
        sim_chip_power_cycle(b.chip);
        CHECK_EQ(sim_board_start(&b, 2), 0);
        CHECK(b.boot > boot);
        caller_init(&c, NULL, NULL, ke, life_hint, 0, 0, empty, 1);
        if (caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0) == 0 && c.code == EDG_CONTENT) {
            CHECK(c.tagged);
            claimed++;
        } else {
            CHECK_EQ(caller_reason(&c), EDG_R_UNCLAIMED);
            CHECK_EQ(life_claim(ke, NULL, NULL), 0);
            open++;
        }
    }
    CHECK(claimed > 0);
    CHECK(open > 0);
    sim_board_close(&b);
}

/* The button held for five seconds makes a device forget its owner, who can claim it again; held for less it does nothing. */
static void test_button(const char *elf)
{
    static struct sim_board b;
    static caller c;
    static const uint8_t empty[1] = {0};
    uint8_t ke[32], again[32];

    begin(&b, elf, ke, false);
    caller_init(&c, NULL, NULL, ke, life_hint, 0, 0, empty, 1);
    sim_chip_press(b.chip, 4ull * SIM_HZ);
    sim_board_run(&b, 8ull * SIM_HZ);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    CHECK_EQ(c.code, EDG_CONTENT);
    CHECK_EQ(life_claim(again, NULL, NULL), -1);
    sim_chip_press(b.chip, 6ull * SIM_HZ);
    sim_board_run(&b, 12ull * SIM_HZ);
    CHECK(caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0) != 0);
    CHECK_EQ(caller_reason(&c), EDG_R_UNCLAIMED);
    CHECK_EQ(life_claim(again, NULL, NULL), 0);
    CHECK(memcmp(ke, again, sizeof ke) != 0);
    CHECK_EQ(b.resets, 0);
    sim_board_close(&b);
}

/* A firmware that hangs: the watchdog resets it, and the waits grow. */
static void test_watchdog(const char *elf)
{
    static struct sim_board b;
    uint8_t ke[32];
    static const uint8_t waits[] = {1, 2, 4, 8, 16, 32, 60, 60};

    begin(&b, elf, ke, false);
    for (size_t i = 0; i < sizeof waits; i++) {
        uint64_t since = sim_chip_cycle(b.chip);

        sim_chip_hang(b.chip);
        b.ready = false;
        CHECK_EQ(sim_board_start(&b, 90), 0);
        CHECK_EQ(b.waited, waits[i]);
        CHECK_EQ(b.resets, i + 1);
        CHECK(sim_chip_cycle(b.chip) - since >= waits[i] * (uint64_t)SIM_HZ);
        CHECK(life_answers());
    }
    sim_board_run(&b, 310ull * SIM_HZ); /* five minutes of peace */
    sim_chip_hang(b.chip);
    b.ready = false;
    CHECK_EQ(sim_board_start(&b, 90), 0);
    CHECK_EQ(b.waited, 1);
    b.waited = 0;
    sim_chip_power_cycle(b.chip);
    CHECK_EQ(sim_board_start(&b, 2), 0);
    CHECK_EQ(b.waited, 0);
    sim_board_close(&b);
}

/* The simulator itself, as a process */

struct process {
    pid_t pid;
    int fd; /* its line */
    const char *simulator, *elf;
    char dir[64], pty[96], eeprom[96], events[96];
};

static struct process *asked;

static void nap(void)
{
    struct timespec t = {0, 5000000};

    nanosleep(&t, NULL);
}

/* How often `text` stands in the events. */
static int events_with(const struct process *p, const char *text)
{
    static char all[65536];
    FILE *f = fopen(p->events, "r");
    int n = 0;

    if (f == NULL) {
        return 0;
    }
    all[fread(all, 1, sizeof all - 1, f)] = 0;
    fclose(f);
    for (const char *at = strstr(all, text); at != NULL; at = strstr(at + 1, text)) {
        n++;
    }
    return n;
}

static bool wait_ready(const struct process *p, int wanted)
{
    for (int i = 0; i < 1000; i++) {
        if (events_with(p, "\"event\":\"ready\"") >= wanted) {
            return true;
        }
        nap();
    }
    return false;
}

static bool start(struct process *p)
{
    int ready = events_with(p, "\"event\":\"ready\"");

    p->pid = fork();
    if (p->pid == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, 1);
        execl(p->simulator, p->simulator, "--pty", p->pty, "--eeprom", p->eeprom, "--events", p->events, "--setup", LIFE_SETUP, p->elf,
              (char *)NULL);
        _exit(127);
    }
    if (p->pid < 0 || !wait_ready(p, ready + 1)) {
        return false;
    }
    p->fd = open(p->pty, O_RDWR | O_NOCTTY | O_NONBLOCK);
    return p->fd >= 0;
}

static int end(struct process *p, int signal)
{
    int status = 0;

    close(p->fd);
    kill(p->pid, signal);
    waitpid(p->pid, &status, 0);
    return status;
}

static void write_message(const struct process *p, const uint8_t *message, size_t n)
{
    struct raw r = {{0}, 0};

    edg_slip_send(put, &r, message, (uint16_t)n);
    CHECK_EQ(write(p->fd, r.bytes, r.n), r.n);
}

static size_t ask_process(const uint8_t *message, size_t n, uint8_t *answer, size_t cap)
{
    static uint8_t frame[SIM_MESSAGE];
    edg_slip s;

    edg_slip_init(&s, frame, sizeof frame);
    write_message(asked, message, n);
    for (int turn = 0; turn < 400; turn++) {
        struct pollfd f = {asked->fd, POLLIN, 0};
        uint8_t byte;

        (void)poll(&f, 1, 5);
        while (read(asked->fd, &byte, 1) == 1) {
            uint16_t len = edg_slip_push(&s, byte);

            if (len > 1 && frame[1] != EDG_POST && len <= cap) {
                memcpy(answer, frame, len);
                return len;
            }
        }
    }
    return 0;
}

/* kill -9 at any moment loses at most the EEPROM byte under way; SIGUSR1 cuts the chip's power; SIGTERM ends it cleanly. */
static void test_process(const char *elf, const char *simulator)
{
    enum { KILLS = 5 };
    static const uint8_t empty[1] = {0};
    static caller c;
    struct process p = {.simulator = simulator, .elf = elf};
    struct stat st;
    uint8_t ke[32], payload[64];
    char text[64];
    int boots = 0, status;

    snprintf(p.dir, sizeof p.dir, "/tmp/edg-sim-check.XXXXXX");
    CHECK(mkdtemp(p.dir) != NULL);
    snprintf(p.pty, sizeof p.pty, "%s/line", p.dir);
    snprintf(p.eeprom, sizeof p.eeprom, "%s/eeprom", p.dir);
    snprintf(p.events, sizeof p.events, "%s/events", p.dir);
    asked = &p;
    life_ask = ask_process;

    for (int i = 0; i < KILLS; i++) {
        uint8_t message[9 + 64] = {0x42, EDG_POST, 7, (uint8_t)i, 1, 1, 0xb1, 'k', 0xff};
        size_t n;

        CHECK(start(&p));
        boots++;
        snprintf(text, sizeof text, "\"boot\":%d}", boots);
        CHECK_EQ(events_with(&p, text), 1);
        CHECK(life_answers());
        n = life_claim_first(ke, payload, NULL, NULL);
        if (n > 0) { /* else the claim had got through */
            memcpy(message + 9, payload, n);
            write_message(&p, message, 9 + n);
            for (int k = 4 + i * 16; k > 0; k--) {
                nap();
            }
        }
        status = end(&p, SIGKILL);
        CHECK(WIFSIGNALED(status));
        CHECK(stat(p.eeprom, &st) == 0 && st.st_size == (off_t)SIM_EEPROM_BYTES && (st.st_mode & 0777) == 0600);
    }
    CHECK(start(&p));
    boots++;
    if (life_claim_first(ke, payload, NULL, NULL) > 0) {
        CHECK_EQ(life_claim(ke, NULL, NULL), 0);
    }
    caller_init(&c, NULL, NULL, ke, life_hint, 0, 0, empty, 1);
    CHECK_EQ(caller_open(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    CHECK_EQ(c.code, EDG_CONTENT);
    CHECK(c.tagged);

    kill(p.pid, SIGUSR1);
    boots++;
    CHECK(wait_ready(&p, boots));
    CHECK_EQ(caller_call(&c, EDG_GET, "/l/temperature", NULL, NULL, 0), 0);
    CHECK_EQ(caller_reason(&c), EDG_R_NO_SESSION);
    close(p.fd); /* the peer goes and comes: the chip goes on */
    p.fd = open(p.pty, O_RDWR | O_NOCTTY | O_NONBLOCK);
    CHECK(life_answers());
    CHECK_EQ(events_with(&p, "\"trouble\""), 0);
    status = end(&p, SIGTERM);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(lstat(p.pty, &st) != 0);
    (void)unlink(p.eeprom);
    (void)unlink(p.events);
    CHECK_EQ(rmdir(p.dir), 0);
}

/* An image whose tables do not fit never enables the link, however often the watchdog or a power cut restarts it, and writes nothing. */
static void test_unfit(const char *elf)
{
    static struct sim_board b;
    uint8_t before[SIM_EEPROM_BYTES];

    open_board(&b, elf);
    life_on(&b);
    life_make(sim_chip_eeprom(b.chip));
    memcpy(before, sim_chip_eeprom(b.chip), sizeof before);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(sim_board_start(&b, 20), -1);
        CHECK(!sim_chip_listening(b.chip));
        CHECK(!life_answers());
        CHECK_EQ(b.exchanges, 0);
        sim_chip_power_cycle(b.chip);
    }
    CHECK(memcmp(before, sim_chip_eeprom(b.chip), sizeof before) == 0);
    CHECK(b.resets > 3); /* the watchdog's, too */
    sim_board_close(&b);
}

int check_run(const char *elf, const char *simulator, const char *unfit)
{
    static const struct {
        const char *name;
        void (*run)(const char *elf);
    } tests[] = {
        {"compression", test_compression},     {"life", test_life},   {"hostile frames", test_hostile_frames},
        {"power cycle", test_power_cycle},     {"power cut while claiming", test_power_cut_while_claiming},
        {"button", test_button},               {"watchdog", test_watchdog},
    };
    unsigned long before;

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        before = check_failures;
        tests[i].run(elf);
        printf("%-26s %s\n", tests[i].name, check_failures == before ? "ok" : "FAILED");
        fflush(stdout);
    }
    before = check_failures;
    test_unfit(unfit);
    printf("%-26s %s\n", "unfit", check_failures == before ? "ok" : "FAILED");
    before = check_failures;
    test_process(elf, simulator);
    printf("%-26s %s\n", "process", check_failures == before ? "ok" : "FAILED");
    printf("sim: %lu checks, %lu failures\n", check_count, check_failures);
    return check_failures > 0;
}
