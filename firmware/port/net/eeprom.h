/* The core's non-volatile memory. */
#ifndef EDG_NET_EEPROM_H
#define EDG_NET_EEPROM_H

#include "../../core/edg.h"

/* Reads it. EDG_OK or EDG_ERR_STORAGE. */
int eeprom_start(void);
int eeprom_load(void *ctx, uint16_t addr, void *dst, uint16_t n);
int eeprom_save(void *ctx, uint16_t addr, const void *src, uint16_t n);

#endif
