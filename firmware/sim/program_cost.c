/* edg-program-cost ELF: what sim/program_chip.c costs, in cycles, and the deepest stack. */
#include <sim_avr.h>
#include <sim_elf.h>
#include <stdarg.h>
#include <stdio.h>

#include "program_bodies.h"

enum { GPIOR0 = 0x3E, GPIOR1 = 0x4A, GPIOR2 = 0x4B, SPL = 0x5D, SPH = 0x5E };

static void quiet(avr_t *avr, const int level, const char *format, va_list args)
{
    (void)avr;
    (void)level;
    (void)format;
    (void)args;
}

int main(int argc, char **argv)
{
    static elf_firmware_t fw; /* large, and simavr keeps pointers into it */
    avr_t *avr = avr_make_mcu_by_name("atmega328p");
    avr_cycle_count_t since = 0, check = 0;
    unsigned mark = 0, top = 0, lowest = 0, deepest = 0, bad = 0;

    avr_global_logger_set(quiet);
    if (argc != 2 || avr == NULL || elf_read_firmware(argv[1], &fw) != 0)
        return 2;
    avr_init(avr);
    avr_load_firmware(avr, &fw);
    avr->run_cycle_limit = 1;
    printf("%-22s %5s %8s %8s %8s %9s\n", "program", "bytes", "check", "run", "executed", "per instr");
    for (long steps = 0; steps < 50000000; steps++) {
        int state = avr_run(avr);
        unsigned sp = (unsigned)avr->data[SPL] | (unsigned)avr->data[SPH] << 8;
        const program_body *b = &program_bodies[avr->data[GPIOR1]];

        if (state == cpu_Done || state == cpu_Crashed)
            break;
        lowest = sp < lowest ? sp : lowest;
        if (avr->data[GPIOR0] == mark)
            continue;
        if (mark == 1)
            check = avr->cycle - since;
        mark = avr->data[GPIOR0];
        if (mark == 3) {
            avr_cycle_count_t run = avr->cycle - since - check; /* it checks once more */

            printf("%-22s %5u %8lu %8lu %8u %9lu%s\n", b->what, b->n, (unsigned long)check, (unsigned long)run, b->executed, (unsigned long)(run / b->executed),
                   avr->data[GPIOR2] == b->verdict ? "" : "  WRONG VERDICT");
            bad += avr->data[GPIOR2] != b->verdict;
            deepest = top - lowest > deepest ? top - lowest : deepest;
        }
        since = avr->cycle;
        top = lowest = sp;
    }
    printf("stack=%u\n", deepest);
    return bad > 0 || deepest == 0;
}
