/*
 * Runs a benchmark image on a simulated AVR and counts the cycles between marks; what count.c is for QEMU.
 *
 *     edg-count-avr MCU ELF
 *
 * A mark is a function named edg_mark_NAME. Reaching one ends the span before it; reaching any but edg_mark_end begins the span of its name. The
 * image ends by sleeping with interrupts off. A line a span on stdout: its name, the cycles of its shortest run, the number of its runs.
 * edg_mark_failed is the image's word for a wrong result. Exit status 0 only if it ended well.
 */
#include <sim_avr.h>
#include <sim_elf.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "edg_mark_"
enum { MARKS = 32, FLASH_WORDS = 0x10000 };
#define MAX_CYCLES 4000000000ull /* more than any image has use for */

struct mark {
    const char *name;
    uint64_t shortest;
    uint64_t runs;
};

static struct mark marks[MARKS];
static size_t mark_count;
static uint8_t mark_at[FLASH_WORDS]; /* by program counter: index of the mark + 1 */

static void on_log(struct avr_t *avr, const int level, const char *format, va_list ap)
{
    (void)avr;
    if (level == LOG_ERROR) {
        vfprintf(stderr, format, ap);
    }
}

static int find_marks(const elf_firmware_t *fw)
{
    for (uint32_t i = 0; i < fw->symbolcount; i++) {
        const avr_symbol_t *s = fw->symbol[i];

        if (strncmp(s->symbol, PREFIX, strlen(PREFIX)) != 0) {
            continue;
        }
        if (mark_count == MARKS || s->addr / 2u >= FLASH_WORDS) {
            return -1;
        }
        marks[mark_count].name = s->symbol + strlen(PREFIX);
        mark_at[s->addr / 2u] = (uint8_t)++mark_count;
    }
    return mark_count > 0 ? 0 : -1;
}

/* 0, or 1 if the image says that it failed or does not come to an end. */
static int run(avr_t *avr)
{
    struct mark *under_way = NULL;
    uint64_t since = 0;

    while (avr->state != cpu_Done && avr->state != cpu_Crashed && avr->cycle < MAX_CYCLES) {
        avr_run(avr);
        uint8_t k = avr->pc / 2u < FLASH_WORDS ? mark_at[avr->pc / 2u] : 0;
        if (k == 0) {
            continue;
        }
        struct mark *m = &marks[k - 1u];
        if (strcmp(m->name, "failed") == 0) {
            return 1;
        }
        if (under_way != NULL && (under_way->runs++ == 0 || avr->cycle - since < under_way->shortest)) {
            under_way->shortest = avr->cycle - since;
        }
        under_way = strcmp(m->name, "end") == 0 ? NULL : m;
        since = avr->cycle;
    }
    return avr->state == cpu_Done ? 0 : 1;
}

int main(int argc, char **argv)
{
    static elf_firmware_t fw;

    avr_global_logger_set(on_log);
    if (argc != 3 || elf_read_firmware(argv[2], &fw) != 0) {
        fputs("usage: edg-count-avr MCU ELF\n", stderr);
        return 2;
    }
    avr_t *avr = avr_make_mcu_by_name(argv[1]);
    if (avr == NULL || avr_init(avr) != 0 || find_marks(&fw) != 0) {
        fprintf(stderr, "edg-count-avr: no such chip, or no marks in %s\n", argv[2]);
        return 2;
    }
    avr_load_firmware(avr, &fw);
    avr->run_cycle_limit = 1; /* one instruction a run, so that no mark is missed */
    if (run(avr) != 0) {
        fprintf(stderr, "edg-count-avr: %s failed at cycle %" PRIu64 "\n", argv[2], avr->cycle);
        return 1;
    }
    for (size_t i = 0; i < mark_count; i++) {
        if (marks[i].runs > 0) {
            printf("%s %" PRIu64 " %" PRIu64 "\n", marks[i].name, marks[i].shortest, marks[i].runs);
        }
    }
    return 0;
}
