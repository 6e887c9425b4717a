/*
 * The life of a device, as its callers make it: claim, sessions with capabilities of every size, logs, errors. Used to find what
 * requests cost, and how deep the stack gets.
 */
#ifndef EDG_SIM_LIFE_H
#define EDG_SIM_LIFE_H

#include "../test/caller.h"
#include "board.h"

/* Where messages go: edg_device_handle of this program asks a chip over its line. */
extern size_t (*life_ask)(const uint8_t *message, size_t n, uint8_t *answer, size_t cap);

/* Lets them go to a board in this process. */
void life_on(struct sim_board *b);

/* Called after each request, with what it was. */
typedef void (*life_note)(void *ctx, const char *what, const struct sim_exchange *x);

extern const uint8_t life_hint[4];
#define LIFE_SETUP "EDGDEV1-0410-6109-103G-C184-0C10-2001-081G-8186-ZNC0"

/* The factory record of the device with that setup code, into a blank EEPROM. */
void life_make(uint8_t *eeprom);

/* The first exchange of a claim, and the payload of the second message; its length, 0: refused. Makes the epoch key. */
size_t life_claim_first(uint8_t ke[32], uint8_t second[64], life_note note, void *ctx);
/* The whole claim; 0 or -1. `note` may be NULL. */
int life_claim(uint8_t ke[32], life_note note, void *ctx);

/* Everything a claimed device does for its callers; on a board in this process only. */
void life_run(const uint8_t ke[32], life_note note, void *ctx);

/* After life_run: calls of the valve under every kind of proof; private ones where the image takes them. */
void life_proofs(const uint8_t ke[32], life_note note, void *ctx);

/* GET /.well-known/core; true if the answer is good. */
bool life_answers(void);

#endif
