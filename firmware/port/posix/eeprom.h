/* EEPROM in a file: the whole of it in memory, changed bytes written through. */
#ifndef EDG_POSIX_EEPROM_H
#define EDG_POSIX_EEPROM_H

#include "../../core/edg.h"
#include "setupcode.h"

typedef struct eeprom {
    int fd;
    int dirty; /* written, not yet synced */
    uint8_t bytes[EDG_NV_SIZE];
} eeprom;

/* Opens the state file. An absent one is made (0600) with the factory record of `code`; `code` may be NULL if the file is there, and must be
 * that of its record if given. 0, or -1 with *why. */
int eeprom_open(eeprom *e, const char *path, const edg_setup_code *code, const char **why);
int eeprom_read(void *e, uint16_t addr, void *dst, uint16_t n);
int eeprom_write(void *e, uint16_t addr, const void *src, uint16_t n);
/* Waits until all that was written is durable: before anything is acknowledged. 0 or -1. */
int eeprom_sync(eeprom *e);
void eeprom_close(eeprom *e);

#endif
