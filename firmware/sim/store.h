/*
 * The EEPROM's contents in a file of exactly SIM_EEPROM_BYTES, mode 0600.
 *
 * Each changed byte is written through at once, so whoever kills the simulator loses what a power cut would lose: at most
 * the byte under way.
 */
#ifndef EDG_SIM_STORE_H
#define EDG_SIM_STORE_H

#include <stdbool.h>
#include <stdint.h>

struct sim_store {
    int fd;
};

/* Opens or creates the file and reads it into `bytes`; a new file is blank (FF), and *fresh says so. 0 or -1. */
int sim_store_open(struct sim_store *s, const char *path, uint8_t *bytes, bool *fresh);
/* Writes all of it: for a new file, once its factory record stands in `bytes`. */
int sim_store_fill(struct sim_store *s, const uint8_t *bytes);
int sim_store_put(struct sim_store *s, uint16_t address, uint8_t value);
void sim_store_close(struct sim_store *s);

#endif
