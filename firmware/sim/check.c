/*
 * edg-sim-check: what the image costs, and tests of it on the simulated chip.
 */
#include <stdio.h>
#include <string.h>

#include "../test/check.h"
#include "check_sim.h"
#include "life.h"
#include "report.h"

static void print_cost(void *ctx, const char *what, const struct sim_exchange *x)
{
    char cycles[16], verdict[16];

    unsigned eeprom = (unsigned)(x->eeprom_writes * SIM_EEPROM_WRITE_CYCLES / (SIM_HZ / 1000u));

    if (x->hmacs == 1 && x->blocks == 2) {
        *(struct sim_exchange *)ctx = *x;
    }
    printf("%-36s %10s %10s  %6.1f ms  %4u ms  %3u  %4u  %6u  %5u / %u\n", what, sim_grouped(cycles, x->cycles), sim_grouped(verdict, x->verdict), x->cycles / 16e3, eeprom, x->hmacs, x->blocks,
           x->stack_used, x->in_bytes, x->out_bytes);
}

/* The same as NDJSON. */
static void print_json(void *ctx, const char *what, const struct sim_exchange *x)
{
    (void)ctx;
    printf("{\"what\":\"%s\",\"cycles\":%u,\"verdict\":%u,\"hmacs\":%u,\"compressions\":%u,\"eeprom_writes\":%u,\"stack_used\":%u,"
           "\"static_bytes\":%u,\"in_bytes\":%u,\"out_bytes\":%u}\n",
           what, x->cycles, x->verdict, x->hmacs, x->blocks, x->eeprom_writes, x->stack_used, x->static_bytes, x->in_bytes, x->out_bytes);
}

static int cost(const char *elf, bool enable_json)
{
    static struct sim_board b;
    struct sim_exchange x = {0};
    char text[16];
    life_note print = enable_json ? print_json : print_cost;
    uint8_t ke[32];

    if (!enable_json) {
        puts("request                                  cycles    verdict  at 16 MHz   EEPROM  HMACs blocks stack  line bytes in / out");
    }
    if (sim_board_open(&b, elf) != 0) {
        return 1;
    }
    life_on(&b);
    life_make(sim_chip_eeprom(b.chip));
    if (sim_board_start(&b, 2) != 0 || life_claim(ke, print, &x) != 0) {
        return 1;
    }
    sim_board_run(&b, FULL_LOG);
    life_run(ke, print, &x);
    life_proofs(ke, print, &x);
    if (!enable_json) {
        printf("%-36s %10s\n", "one compression", sim_grouped(text, x.block_cycles));
        printf("%-36s %10s\n", "one HMAC of 30 bytes", sim_grouped(text, x.hmac_cycles));
    }
    sim_board_close(&b);
    return check_failures > 0;
}

static int size(const char *image, const char *elf)
{
    static struct sim_board b;
    uint8_t ke[32];

    if (check_begin(&b, elf, ke, true) != 0) {
        return 1;
    }
    sim_board_run(&b, FULL_LOG);
    life_run(ke, NULL, NULL);
    life_proofs(ke, NULL, NULL);
    sim_board_run(&b, 25ull * SIM_HZ);
    sim_chip_press(b.chip, 6ull * SIM_HZ);
    sim_board_run(&b, 12ull * SIM_HZ);
    printf("board=atmega328p image=%s flash=%u static=%u stack=%u\n", image, sim_chip_flash_bytes(b.chip), sim_chip_static_bytes(b.chip),
           sim_chip_worst_stack(b.chip));
    sim_board_close(&b);
    return check_failures > 0 || b.troubles > 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "size") == 0) {
        return size(argv[2], argv[3]);
    }
    if (argc == 3 && strcmp(argv[1], "cost") == 0) {
        return cost(argv[2], false);
    }
    if (argc == 4 && strcmp(argv[1], "cost") == 0 && strcmp(argv[3], "--json") == 0) {
        return cost(argv[2], true);
    }
    if (argc == 5 && strcmp(argv[1], "test") == 0) {
        return check_run(argv[2], argv[3], argv[4]);
    }
    fputs("usage: edg-sim-check size IMAGE FIRMWARE.elf\n"
          "       edg-sim-check cost FIRMWARE.elf [--json]\n"
          "       edg-sim-check test FIRMWARE.elf EDG-SIM UNFIT.elf\n",
          stderr);
    return 2;
}
