/*
 * edg-sim: an ATmega328P board on this machine. The chip runs in simulated cycles, held back to real time; its UART is a
 * pseudo-terminal, its EEPROM a file. See usage() for how to start it.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "../core/edg.h"
#include "chip.h"
#include "factory.h"
#include "line.h"
#include "report.h"
#include "store.h"

#define CYCLES_PER_US (SIM_HZ / 1000000u)
#define LOOK_CYCLES 8000u           /* a busy chip looks at the line and the clock every 0.5 ms */
#define AHEAD_CYCLES 4000u          /* and may be ahead of the wall by 0.25 ms */
#define BEHIND_CYCLES (SIM_HZ / 4u) /* a host that stood still for longer than 250 ms is not caught up with */
#define SHORT_CYCLES 16000u         /* a sleep of less than 1 ms: between two bytes */
#define RELEASE_CYCLES SIM_HZ
#define PRESS_CYCLES (6ull * SIM_HZ)

struct host {
    struct sim_chip *chip;
    struct sim_line line;
    struct sim_store store;
    struct sim_report report;
    bool enable_fast;
    uint64_t anchor_ns; /* wall time and cycle at which both agreed */
    uint64_t anchor_cycle;
    uint64_t look;
    uint64_t release;
};

static volatile sig_atomic_t stop_asked;
static volatile sig_atomic_t power_asked;
static volatile sig_atomic_t button_asked;

static void on_stop(int signal)
{
    (void)signal;
    stop_asked = 1;
}

static void on_power(int signal)
{
    (void)signal;
    power_asked = 1;
}

static void on_button(int signal)
{
    (void)signal;
    button_asked = 1;
}

/* Wall time */

static uint64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The cycle that a real chip would be at by now. */
static uint64_t wall_cycle(const struct host *h)
{
    return h->anchor_cycle + (wall_ns() - h->anchor_ns) * CYCLES_PER_US / 1000u;
}

static void anchor(struct host *h)
{
    h->anchor_ns = wall_ns();
    h->anchor_cycle = sim_chip_cycle(h->chip);
}

/* Takes in what the peer wrote. True if there was something. */
static bool pump(struct host *h)
{
    uint8_t bytes[256];
    size_t room = sim_chip_room(h->chip);
    size_t n = sim_line_read(&h->line, bytes, room < sizeof bytes ? room : sizeof bytes);
    return n > 0 && sim_chip_receive(h->chip, bytes, n) > 0;
}

/* Waits until the wall reaches `cycle`, or a byte or a signal comes. */
static void wait_for(struct host *h, uint64_t cycle)
{
    uint64_t now = wall_cycle(h);
    while (now < cycle && !stop_asked && !power_asked && !button_asked) {
        uint64_t ns = (cycle - now) * 1000u / CYCLES_PER_US;
        struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
        struct pollfd p = {h->line.master, POLLIN, 0};
        if (ppoll(&p, sim_chip_room(h->chip) > 0 ? 1 : 0, &t, NULL) > 0 && pump(h)) {
            return;
        }
        now = wall_cycle(h);
    }
}

/* What the chip tells */

static uint64_t on_idle(void *ctx, uint64_t cycles)
{
    struct host *h = ctx;
    uint64_t cycle = sim_chip_cycle(h->chip);
    if (h->enable_fast) {
        if (cycles < SHORT_CYCLES) {
            return pump(h) ? 0 : cycles;
        }
        anchor(h);
    }
    if (wall_cycle(h) + AHEAD_CYCLES >= cycle + cycles) {
        return cycles;
    }
    wait_for(h, cycle + cycles);
    uint64_t now = wall_cycle(h);
    if (now <= cycle) {
        return 0;
    }
    return now - cycle < cycles ? now - cycle : cycles;
}

static void on_transmit(void *ctx, uint8_t byte)
{
    struct host *h = ctx;
    sim_line_write(&h->line, &byte, 1);
}

static void on_store(void *ctx, uint16_t address, uint8_t value)
{
    struct host *h = ctx;
    if (sim_store_put(&h->store, address, value) != 0) {
        sim_report_trouble(&h->report, "the EEPROM file cannot be written");
        stop_asked = 1;
    }
}

static void on_exchange(void *ctx, const struct sim_exchange *x) { sim_report_exchange(&((struct host *)ctx)->report, x); }
static void on_valve(void *ctx, uint8_t percent, uint8_t count)
{
    sim_report_valve(&((struct host *)ctx)->report, percent, count);
}
static void on_ready(void *ctx, uint16_t boot) { sim_report_ready(&((struct host *)ctx)->report, boot); }
static void on_wait(void *ctx, uint8_t seconds) { sim_report_wait(&((struct host *)ctx)->report, seconds); }
static void on_reset(void *ctx, enum sim_reset cause) { sim_report_reset(&((struct host *)ctx)->report, cause); }
static void on_trouble(void *ctx, const char *what) { sim_report_trouble(&((struct host *)ctx)->report, what); }

/* Running */

static void look(struct host *h)
{
    uint64_t cycle = sim_chip_cycle(h->chip);
    h->look = cycle + LOOK_CYCLES;
    (void)pump(h);
    if (cycle >= h->release) {
        h->release = cycle + RELEASE_CYCLES;
        sim_line_release(&h->line);
    }
    if (h->enable_fast) {
        return;
    }
    uint64_t wall = wall_cycle(h);
    if (cycle > wall + AHEAD_CYCLES) {
        wait_for(h, cycle);
    } else if (wall > cycle + BEHIND_CYCLES) {
        anchor(h);
    }
}

static int run(struct host *h)
{
    anchor(h);
    while (!stop_asked) {
        if (power_asked) {
            power_asked = 0;
            sim_chip_power_cycle(h->chip);
        }
        if (button_asked) {
            button_asked = 0;
            sim_chip_press(h->chip, PRESS_CYCLES);
        }
        if (!sim_chip_step(h->chip)) {
            sim_report_trouble(&h->report, "the chip has stopped: it sleeps with interrupts off, or crashed");
            return 1;
        }
        if (sim_chip_cycle(h->chip) >= h->look) {
            look(h);
        }
    }
    return 0;
}

static void catch_signals(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_stop;
    sigaction(SIGTERM, &a, NULL);
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGHUP, &a, NULL);
    a.sa_handler = on_power;
    sigaction(SIGUSR1, &a, NULL);
    a.sa_handler = on_button;
    sigaction(SIGUSR2, &a, NULL);
    a.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &a, NULL);
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
}

static void usage(FILE *to)
{
    fputs("usage: edg-sim --pty PATH --eeprom FILE [--setup EDGDEV1-...] [--events FILE] [--fast] FIRMWARE.elf\n"
          "\n"
          "  --pty PATH      the serial line: a symbolic link to a pseudo-terminal, removed at the end\n"
          "  --eeprom FILE   the EEPROM's 1,024 bytes, kept from run to run; created blank if absent\n"
          "  --setup CODE    the factory record that a new EEPROM file gets\n"
          "  --events FILE   appends what happens as NDJSON\n"
          "  --fast          works and sends as fast as this machine can, and only idles in real time;\n"
          "                  otherwise never faster than the chip\n"
          "\n"
          "SIGUSR1 cuts the power and gives it back; SIGUSR2 holds the button for six seconds (factory reset); SIGTERM and SIGINT end the simulator.\n"
          "Exit codes: 0 ended by a signal, 1 failed, 2 wrong usage.\n"
          "\n"
          "example: edg-sim --pty /tmp/greenhouse --eeprom greenhouse.eeprom --setup \"$CODE\" greenhouse-atmega328p.elf\n",
          to);
}

static int wrong(const char *what)
{
    fprintf(stderr, "edg-sim: %s\n\n", what);
    usage(stderr);
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"pty", required_argument, NULL, 'p'},  {"eeprom", required_argument, NULL, 'e'},
        {"setup", required_argument, NULL, 's'}, {"events", required_argument, NULL, 'v'},
        {"fast", no_argument, NULL, 'f'},        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static struct host h = {.line = {-1, -1, NULL}, .store = {-1}};
    const char *pty = NULL;
    const char *eeprom = NULL;
    const char *setup = NULL;
    const char *events = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'p': pty = optarg; break;
        case 'e': eeprom = optarg; break;
        case 's': setup = optarg; break;
        case 'v': events = optarg; break;
        case 'f': h.enable_fast = true; break;
        case 'h': usage(stdout); return 0;
        default: return wrong("unknown or incomplete option");
        }
    }
    if (pty == NULL || eeprom == NULL) {
        return wrong(pty == NULL ? "--pty is missing" : "--eeprom is missing");
    }
    if (optind + 1 != argc) {
        return wrong(optind == argc ? "the firmware's ELF file is missing" : "more than one firmware file");
    }
    edg_setup_code code;
    if (setup != NULL && edg_setup_code_parse(setup, &code) != EDG_OK) {
        fputs("edg-sim: --setup is no setup code (EDGDEV1- and 36 symbols): check it for typing errors\n", stderr);
        return 2;
    }

    const struct sim_hooks hooks = {
        .ctx = &h,          .transmit = on_transmit, .exchange = on_exchange, .valve = on_valve, .store = on_store,
        .ready = on_ready, .wait = on_wait,         .reset = on_reset,       .trouble = on_trouble, .idle = on_idle,
    };
    int status = 1;
    bool fresh = false;
    h.chip = sim_chip_new(argv[optind], &hooks);
    h.report.chip = h.chip;
    if (h.chip == NULL || sim_report_open(&h.report, events) != 0 ||
        sim_store_open(&h.store, eeprom, sim_chip_eeprom(h.chip), &fresh) != 0) {
        goto end;
    }
    if (fresh) {
        if (setup != NULL) {
            (void)sim_factory_store(&code, sim_chip_eeprom(h.chip));
        }
        if (sim_store_fill(&h.store, sim_chip_eeprom(h.chip)) != 0) {
            fprintf(stderr, "edg-sim: write --eeprom %s: %s\n", eeprom, strerror(errno));
            goto end;
        }
    } else if (setup != NULL && !sim_factory_matches(&code, sim_chip_eeprom(h.chip))) {
        fprintf(stderr, "edg-sim: --eeprom %s belongs to a device with another setup code\n", eeprom);
        status = 2;
        goto end;
    }
    catch_signals();
    if (sim_line_open(&h.line, pty) != 0) {
        goto end;
    }
    sim_report_start(&h.report, argv[optind], pty);
    status = run(&h);
    sim_report_stop(&h.report);
end:
    sim_line_close(&h.line);
    sim_store_close(&h.store);
    sim_report_close(&h.report);
    sim_chip_free(h.chip);
    return status;
}
