/* Tests of the image on the simulated chip. */
#ifndef EDG_SIM_CHECK_SIM_H
#define EDG_SIM_CHECK_SIM_H

#include <stdbool.h>

#include "board.h"

/* A chip with this image, claimed. 0, or -1 with a line on stderr. */
int check_begin(struct sim_board *b, const char *elf, uint8_t ke[32], bool enable_noise);

/* All tests; `simulator` is the path of edg-sim. An exit code. */
int check_run(const char *elf, const char *simulator);

#endif
