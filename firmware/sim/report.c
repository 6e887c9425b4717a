#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

int sim_report_open(struct sim_report *r, const char *path)
{
    r->events = NULL;
    if (path == NULL) {
        return 0;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || (r->events = fdopen(fd, "a")) == NULL) {
        fprintf(stderr, "edg-sim: --events %s: %s\n", path, strerror(errno));
        return -1;
    }
    return 0;
}

void sim_report_close(struct sim_report *r)
{
    if (r->events != NULL) {
        fclose(r->events);
        r->events = NULL;
    }
}

/* One line of NDJSON, written whole: {"event":NAME,"cycle":N, and what the format adds. */
static void event(struct sim_report *r, const char *name, const char *format, ...)
{
    if (r->events == NULL) {
        return;
    }
    va_list ap;
    va_start(ap, format);
    fprintf(r->events, "{\"event\":\"%s\",\"cycle\":%" PRIu64, name, sim_chip_cycle(r->chip));
    vfprintf(r->events, format, ap);
    fputs("}\n", r->events);
    fflush(r->events);
    va_end(ap);
}

const char *sim_grouped(char *text, uint32_t n)
{
    if (n >= 1000000u) {
        snprintf(text, 16, "%" PRIu32 ",%03" PRIu32 ",%03" PRIu32, n / 1000000u, n / 1000u % 1000u, n % 1000u);
    } else if (n >= 1000u) {
        snprintf(text, 16, "%" PRIu32 ",%03" PRIu32, n / 1000u, n % 1000u);
    } else {
        snprintf(text, 16, "%" PRIu32, n);
    }
    return text;
}

void sim_report_start(struct sim_report *r, const char *elf, const char *pty)
{
    char flash[16];
    printf("ATmega328P at 16 MHz: %s, %s B flash, %u B static; serial line %s\n", elf,
           sim_grouped(flash, sim_chip_flash_bytes(r->chip)), sim_chip_static_bytes(r->chip), pty);
    fflush(stdout);
    event(r, "start", ",\"hz\":%u,\"flash_bytes\":%" PRIu32 ",\"static_bytes\":%u,\"pid\":%ld", SIM_HZ,
          sim_chip_flash_bytes(r->chip), sim_chip_static_bytes(r->chip), (long)getpid());
}

void sim_report_exchange(struct sim_report *r, const struct sim_exchange *x)
{
    char cycles[16];
    char stack[16];
    char ram[16];
    uint32_t us = x->cycles / (SIM_HZ / 1000000u);
    uint32_t tenths = (us + 50u) / 100u; /* of a millisecond */
    printf("ATmega328P: %" PRIu32 " HMACs, %s cycles = %" PRIu32 ".%" PRIu32 " ms, deepest stack %s B, RAM %s of 2,048 B\n",
           x->hmacs, sim_grouped(cycles, x->cycles), tenths / 10u, tenths % 10u, sim_grouped(stack, x->stack_used),
           sim_grouped(ram, (uint32_t)x->stack_used + x->static_bytes));
    fflush(stdout);
    event(r, "request",
          ",\"cycles\":%" PRIu32 ",\"us\":%" PRIu32 ",\"hmacs\":%" PRIu32 ",\"compressions\":%" PRIu32
          ",\"stack_used\":%u,\"static_bytes\":%u,\"in_bytes\":%" PRIu32 ",\"out_bytes\":%" PRIu32
          ",\"eeprom_writes\":%" PRIu32,
          x->cycles, us, x->hmacs, x->blocks, x->stack_used, x->static_bytes, x->in_bytes, x->out_bytes,
          x->eeprom_writes);
}

void sim_report_valve(struct sim_report *r, uint8_t percent, uint8_t count)
{
    char bar[20 * 3 + 1];
    size_t n = 0;
    for (unsigned i = 0; i < 20u; i++) {
        const char *cell = i < (percent + 2u) / 5u ? "\xe2\x96\x88" : "-"; /* a full block, or nothing */
        size_t len = strlen(cell);
        memcpy(bar + n, cell, len);
        n += len;
    }
    bar[n] = '\0';
    printf("valve [%s] %u %%\n", bar, percent);
    fflush(stdout);
    event(r, "valve", ",\"percent\":%u,\"count\":%u", percent, count);
}

void sim_report_ready(struct sim_report *r, uint16_t boot)
{
    printf("ATmega328P: boot %u, link enabled\n", boot);
    fflush(stdout);
    event(r, "ready", ",\"boot\":%u", boot);
}

void sim_report_wait(struct sim_report *r, uint8_t seconds)
{
    printf("ATmega328P: reset by the watchdog, waiting %u s\n", seconds);
    fflush(stdout);
    event(r, "wait", ",\"seconds\":%u", seconds);
}

void sim_report_reset(struct sim_report *r, enum sim_reset cause)
{
    const char *name = cause == SIM_RESET_POWER ? "power" : "watchdog";
    printf("ATmega328P: reset (%s)\n", name);
    fflush(stdout);
    event(r, "reset", ",\"cause\":\"%s\"", name);
}

void sim_report_trouble(struct sim_report *r, const char *what)
{
    fprintf(stderr, "edg-sim: %s\n", what);
    event(r, "trouble", ",\"what\":\"%s\"", what);
}

void sim_report_stop(struct sim_report *r)
{
    event(r, "stop", ",\"worst_stack\":%u,\"overruns\":%" PRIu32 ",\"drops\":%" PRIu32, sim_chip_worst_stack(r->chip),
          sim_chip_overruns(r->chip), sim_chip_drops(r->chip));
}
