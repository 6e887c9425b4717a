/* For the drivers of Frama-C's Eva: input of any bytes. A message of n bytes lies at the end of `area`, so that Eva sees a read of one byte too many. */
#ifndef EVA_ANY_H
#define EVA_ANY_H

#include "../../core/edg_int.h"
#include "__fc_builtin.h"

#ifndef MOST
#define MOST 1280 /* bytes of the longest message */
#endif

static uint8_t area[MOST];

static const uint8_t *any_bytes(uint16_t n) { return area + MOST - n; }

static void any(void *p, size_t n) { Frama_C_make_unknown(p, n); }

/* Told at the end of every driver: Eva got there. */
#define END() Frama_C_show_each_end()

#endif
