/* What the tests and the costs begin with. */
#include <stdio.h>

#include "check_sim.h"
#include "life.h"

int check_begin(struct sim_board *b, const char *elf, uint8_t ke[32], bool enable_noise)
{
    if (sim_board_open(b, elf) != 0) {
        return -1;
    }
    b->enable_noise = enable_noise;
    life_on(b);
    life_make(sim_chip_eeprom(b->chip));
    if (sim_board_start(b, 2) != 0 || life_claim(ke, NULL, NULL) != 0) {
        fputs("edg-sim-check: the firmware does not start, or cannot be claimed\n", stderr);
        return -1;
    }
    return 0;
}
