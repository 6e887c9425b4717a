/* For the drivers of Frama-C's Eva: input of any bytes. A message of n bytes lies at the end of `area`, so that Eva sees a read of one byte too many. */
#ifndef EVA_ANY_H
#define EVA_ANY_H

#include "../../core/edg_int.h"
#include "__fc_builtin.h"

#ifndef MOST
#define MOST 1280 /* bytes of the longest message */
#endif

static uint8_t area[MOST];
static volatile uint8_t sink;

static uint8_t *any_bytes(uint16_t n) { return area + MOST - n; }

static void any(void *p, size_t n) { Frama_C_make_unknown(p, n); }

static uint8_t any_u8(uint8_t from, uint8_t to) { return Frama_C_unsigned_char_interval(from, to); }

static uint32_t any_u32(void) { return Frama_C_unsigned_int_interval(0, 0xFFFFFFFFU); }

/* Every byte of it can be read. */
static void readable(const uint8_t *p, uint16_t n)
{
    if (n > 0)
        sink = p[Frama_C_unsigned_short_interval(0, (uint16_t)(n - 1))];
}

/* Told at the end of every driver: Eva got there. */
#define END() Frama_C_show_each_end()

#endif
