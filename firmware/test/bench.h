/* A board on the test bench: an EEPROM that can lose its power, fail or forget, and a clock set by hand. */
#ifndef EDG_TEST_BENCH_H
#define EDG_TEST_BENCH_H

#include "../core/edg_int.h"

typedef struct bench {
    edg_platform platform;
    uint32_t tick;
    long power;    /* bytes that are still written before the power fails; negative: it does not */
    int torn;      /* what the byte that power failed on reads as afterwards */
    int read_only; /* writes fail */
    long reads;    /* that still succeed; negative: all */
    unsigned worn_at, worn; /* bytes from here on keep what they have, and their writes succeed all the same */
    unsigned long written;
    uint8_t nv[EDG_NV_BASE + EDG_NV_SIZE];
} bench;

void bench_init(bench *b); /* a blank EEPROM */

/* The EEPROM as it would be after earlier life: an owner, and the boot counter so that the next boot is `boot`. */
void bench_owner(bench *b, const uint8_t ke[32], const uint8_t hint[4], uint16_t epoch, const uint8_t generations[16]);
void bench_boot(bench *b, uint32_t boot);

/* Reads hex of at most cap bytes up to its end or a space; the bytes, or -1. */
long bench_hex(const char *text, uint8_t *out, size_t cap);
void bench_put_hex(char *text, const uint8_t *bytes, size_t n); /* 2 n + 1 characters */

#endif
