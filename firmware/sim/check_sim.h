/* Tests of the image on the simulated chip. */
#ifndef EDG_SIM_CHECK_SIM_H
#define EDG_SIM_CHECK_SIM_H

#include <stdbool.h>

#include "board.h"

#define FULL_LOG (400ull * SIM_HZ) /* 40 temperatures, of which 32 are kept */

/* A chip with this image, claimed. 0, or -1 with a line on stderr. */
int check_begin(struct sim_board *b, const char *elf, uint8_t ke[32], bool enable_noise);

/* Runs all tests and returns an exit code. `simulator` is the path of edg-sim, `unfit` an image whose tables do not fit the limits of its core. */
int check_run(const char *elf, const char *simulator, const char *unfit);

#endif
