/* Runs Ascon on a simulated ATmega328P: every official vector, and what a message of 64 bytes costs.
 *
 *     ascon-sim IMAGE VECTORS       IMAGE from ascon_avr.c with ASCON_DATA */

#include "../test/ascon_kat.h"
#include "ascon_job.h"

#include <sim_avr.h>
#include <sim_elf.h>
#include <sim_io.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { REG_GPIOR0 = 0x3e, REG_GPIOR1 = 0x4a, REG_GPIOR2 = 0x4b, REG_SPL = 0x5d, REG_SPH = 0x5e };
#define LIMIT 2000000u /* cycles of one job, far beyond what any takes */

struct chip {
    avr_t *avr;
    uint16_t job;    /* where it is in RAM */
    uint16_t sp;     /* when the job began */
    uint16_t lowest; /* since then */
    uint64_t began, cycles;
    uint8_t mark;
};

static uint16_t stack_pointer(const avr_t *avr) { return (uint16_t)(avr->data[REG_SPL] | avr->data[REG_SPH] << 8); }

static void on_mark(struct avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param)
{
    struct chip *c = param;

    avr->data[addr] = v;
    c->mark = v;
    if (v == ASCON_MARK_READY) {
        c->job = (uint16_t)(avr->data[REG_GPIOR1] | avr->data[REG_GPIOR2] << 8);
    } else if (v == ASCON_MARK_GO) {
        c->began = avr->cycle;
        c->sp = c->lowest = stack_pointer(avr);
    } else if (v == ASCON_MARK_DONE) {
        c->cycles = avr->cycle - c->began;
    }
}

static int run_to(struct chip *c, uint8_t mark)
{
    uint64_t since = c->avr->cycle;

    c->mark = 0;
    while (c->mark != mark) {
        int state = avr_run(c->avr);
        uint16_t sp = stack_pointer(c->avr);

        if (sp < c->lowest)
            c->lowest = sp;
        if (state == cpu_Done || state == cpu_Crashed || c->avr->cycle - since > LIMIT)
            return -1;
    }
    return 0;
}

/* The chip stands at READY before and after. */
static int work(struct chip *c, ascon_job *j)
{
    memcpy(c->avr->data + c->job, j, sizeof *j);
    if (run_to(c, ASCON_MARK_DONE) != 0 || run_to(c, ASCON_MARK_READY) != 0)
        return -1;
    memcpy(j, c->avr->data + c->job, sizeof *j);
    return 0;
}

static int same(struct chip *c, const ascon_kat *k, uint8_t what)
{
    ascon_job j = {.what = what, .n = k->n, .data_len = k->data_len};
    const uint8_t *from = what == ASCON_OPEN ? k->sealed : k->text, *to = what == ASCON_OPEN ? k->text : k->sealed;

    memcpy(j.key, k->key, 16);
    memcpy(j.nonce, k->nonce, 16);
    memcpy(j.data, k->data, k->data_len);
    memcpy(j.text, from, k->n);
    return work(c, &j) == 0 && memcmp(j.text, to, k->n) == 0 && memcmp(j.tag, k->tag, 16) == 0;
}

static unsigned vectors(struct chip *c, FILE *f, unsigned *failures)
{
    unsigned n = 0;
    ascon_kat k;
    int more;

    while ((more = ascon_kat_next(f, &k)) == 1) {
        int good = same(c, &k, ASCON_SEAL_DATA);

        if (k.data_len == 0)
            good = good && same(c, &k, ASCON_SEAL) && same(c, &k, ASCON_OPEN);
        n++;
        if (!good) {
            (*failures)++;
            (void)fprintf(stderr, "FAIL vector %u\n", k.count);
        }
    }
    if (more != 0 || n != ASCON_KATS)
        (*failures)++;
    return n;
}

static void cost(struct chip *c, uint8_t n, uint8_t what)
{
    ascon_job j = {.what = what, .n = n};

    if (work(c, &j) == 0)
        printf("ascon %s bytes=%u cycles=%" PRIu64 " ms_at_16MHz=%.2f stack=%u\n", what == ASCON_OPEN ? "open" : "seal", n, c->cycles,
               (double)c->cycles / 16000.0, (unsigned)(c->sp - c->lowest));
}

static void quiet(avr_t *avr, const int level, const char *format, va_list ap)
{
    (void)avr;
    if (level == LOG_ERROR)
        (void)vfprintf(stderr, format, ap);
}

int main(int argc, char **argv)
{
    static elf_firmware_t fw; /* large, and simavr keeps pointers into it */
    struct chip c = {0};
    FILE *f = argc == 3 ? fopen(argv[2], "r") : NULL;
    unsigned n, failures = 0;

    avr_global_logger_set(quiet);
    if (f == NULL || elf_read_firmware(argv[1], &fw) != 0 || (c.avr = avr_make_mcu_by_name("atmega328p")) == NULL) {
        (void)fprintf(stderr, "usage: ascon-sim IMAGE VECTORS\n");
        return 2;
    }
    avr_init(c.avr);
    avr_load_firmware(c.avr, &fw);
    c.avr->frequency = 16000000;
    c.avr->run_cycle_limit = 1; /* one instruction a run, so that no stack pointer is missed */
    avr_register_io_write(c.avr, REG_GPIOR0, on_mark, &c);
    if (run_to(&c, ASCON_MARK_READY) != 0) {
        (void)fprintf(stderr, "ascon-sim: %s says nothing\n", argv[1]);
        return 2;
    }
    n = vectors(&c, f, &failures);
    (void)fclose(f);
    printf("ascon on the ATmega328P: %u official vectors, %u failures\n", n, failures);
    cost(&c, 0, ASCON_SEAL);
    cost(&c, 16, ASCON_SEAL);
    cost(&c, 64, ASCON_SEAL);
    cost(&c, 64, ASCON_OPEN);
    avr_terminate(c.avr);
    return failures > 0;
}
