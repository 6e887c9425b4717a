/*
 * A whole board in this process, for tests and measurements: a chip that is stepped as fast as it goes, its EEPROM in memory,
 * messages in and out of its serial line. Everything repeats to the cycle.
 */
#ifndef EDG_SIM_BOARD_H
#define EDG_SIM_BOARD_H

#include "../core/edg.h"
#include "chip.h"

enum { SIM_ANSWER_MS = 2000, SIM_MESSAGE = 1152 };

struct sim_board {
    struct sim_chip *chip;
    edg_slip decoder;
    uint8_t frame[SIM_MESSAGE + 2];
    uint16_t frame_len; /* of the message that came, 0: none yet */
    struct sim_exchange last;
    uint32_t exchanges;
    uint32_t resets;
    uint32_t troubles;
    uint32_t waited; /* seconds of the last wait after a watchdog reset */
    uint16_t boot;   /* of the last start */
    bool ready;
    uint8_t valve;
    bool enable_noise; /* bytes keep coming while the chip works, so that interrupts fall on every depth of the stack */
};

/* 0, or -1 with a line on stderr. */
int sim_board_open(struct sim_board *b, const char *elf);
void sim_board_close(struct sim_board *b);

/* Runs until the link is enabled: at most `seconds` of simulated time. 0 or -1. */
int sim_board_start(struct sim_board *b, unsigned seconds);
void sim_board_run(struct sim_board *b, uint64_t cycles);

/* Raw bytes onto the line. */
void sim_board_feed(struct sim_board *b, const uint8_t *bytes, size_t n);
/* One message, and its answer: the length, 0 if none came in time. */
size_t sim_board_ask(struct sim_board *b, const uint8_t *message, size_t n, uint8_t *answer, size_t cap);

#endif
