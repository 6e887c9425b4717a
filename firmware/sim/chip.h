/*
 * One simulated ATmega328P: cycles, bytes of its serial line, its EEPROM, and what a request costs.
 *
 * There is no clock and no file in here. The host steps the chip and decides how simulated cycles and wall time relate;
 * tests step it as fast as it goes, and then everything repeats to the cycle.
 */
#ifndef EDG_SIM_CHIP_H
#define EDG_SIM_CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_HZ 16000000u
#define SIM_EEPROM_BYTES 1024u
#define SIM_EEPROM_WRITE_CYCLES 54400u /* 3.4 ms: erase and write of one byte */
#define SIM_RAM_BYTES 2048u

/* What one request cost, from the mark REQUEST to the mark ANSWER; bytes are those of the line, framing included. */
struct sim_exchange {
    uint64_t started;    /* cycle of the mark REQUEST */
    uint32_t cycles;     /* interrupts within included */
    uint32_t verdict;    /* of them, up to the mark VERDICT: parsing, tag, window, frames; 0: not protected */
    uint32_t hmacs;
    uint32_t blocks;     /* SHA-256 compressions */
    uint32_t block_cycles; /* the last one */
    uint32_t hmac_cycles;  /* the last one */
    uint16_t stack_used; /* RAMEND - lowest stack pointer, until the mark SENT */
    uint16_t static_bytes;
    uint32_t in_bytes;
    uint32_t out_bytes;
    uint32_t eeprom_writes;
};

enum sim_reset { SIM_RESET_POWER, SIM_RESET_WATCHDOG };

/* What the chip tells its host. Any function may be absent. */
struct sim_hooks {
    void *ctx;
    void (*transmit)(void *ctx, uint8_t byte); /* the stop bit of a byte has left */
    void (*exchange)(void *ctx, const struct sim_exchange *x);
    void (*valve)(void *ctx, uint8_t percent, uint8_t count);
    void (*store)(void *ctx, uint16_t address, uint8_t value); /* one EEPROM byte changed */
    void (*ready)(void *ctx, uint16_t boot);
    void (*wait)(void *ctx, uint8_t seconds);
    void (*reset)(void *ctx, enum sim_reset cause);
    void (*trouble)(void *ctx, const char *what);
    /* The chip sleeps and nothing is due for `cycles`. Returns how many of them have passed: fewer when a byte came. */
    uint64_t (*idle)(void *ctx, uint64_t cycles);
};

struct sim_chip;

/* Loads an ELF file. Returns NULL with a line on stderr if it cannot be read or its functions are not found. */
struct sim_chip *sim_chip_new(const char *elf, const struct sim_hooks *hooks);
void sim_chip_free(struct sim_chip *c);

/* The EEPROM's SIM_EEPROM_BYTES, to be filled before the first step. */
uint8_t *sim_chip_eeprom(struct sim_chip *c);

/* One instruction, or one stretch of sleep. False once the chip has stopped for good (it slept with interrupts off). */
bool sim_chip_step(struct sim_chip *c);

/* Power off and on: registers cleared, RAM as random as after a power cut, EEPROM kept. */
void sim_chip_power_cycle(struct sim_chip *c);

/* Bytes for the receiver. They wait until it is enabled and go in at the line's rate. Returns how many were taken. */
size_t sim_chip_receive(struct sim_chip *c, const uint8_t *bytes, size_t n);
size_t sim_chip_room(const struct sim_chip *c);

/* The button of the board, for so many cycles. */
void sim_chip_press(struct sim_chip *c, uint64_t cycles);

uint64_t sim_chip_cycle(const struct sim_chip *c);
bool sim_chip_listening(const struct sim_chip *c); /* the receiver is enabled */
uint16_t sim_chip_static_bytes(const struct sim_chip *c);
uint32_t sim_chip_flash_bytes(const struct sim_chip *c);
uint16_t sim_chip_worst_stack(const struct sim_chip *c); /* since power on, start-up and idling included */
uint32_t sim_chip_overruns(const struct sim_chip *c);    /* bytes lost because the firmware read too late */
uint32_t sim_chip_drops(const struct sim_chip *c);       /* frames the firmware dropped without an answer */

/* For tests. The chip is to be power-cycled after the first, and resets itself by its watchdog after the second. */
uint32_t sim_chip_compress(struct sim_chip *c, uint32_t state[8], const uint8_t block[64]); /* runs edg_sha256_block; cycles */
void sim_chip_hang(struct sim_chip *c);                                                    /* an endless loop */

#endif
