/*
 * What the simulator says: lines for people on stdout, the same facts as NDJSON in a file.
 *
 * Every JSON object has "event" and "cycle" (simulated cycles since the simulator started); wall time appears nowhere.
 */
#ifndef EDG_SIM_REPORT_H
#define EDG_SIM_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "chip.h"

struct sim_report {
    FILE *events; /* NULL = none */
    const struct sim_chip *chip;
};

/* Appends to `path`, mode 0600; NULL = no events. 0 or -1. */
int sim_report_open(struct sim_report *r, const char *path);
void sim_report_close(struct sim_report *r);

void sim_report_start(struct sim_report *r, const char *elf, const char *pty);
void sim_report_exchange(struct sim_report *r, const struct sim_exchange *x);
void sim_report_valve(struct sim_report *r, uint8_t percent, uint8_t count);
void sim_report_ready(struct sim_report *r, uint16_t boot);
void sim_report_wait(struct sim_report *r, uint8_t seconds);
void sim_report_reset(struct sim_report *r, enum sim_reset cause);
void sim_report_trouble(struct sim_report *r, const char *what);
void sim_report_stop(struct sim_report *r);

/* 412331 as "412,331"; `text` has 16 bytes. */
const char *sim_grouped(char *text, uint32_t n);

#endif
