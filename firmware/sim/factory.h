/*
 * A factory's part: the setup code (docs/spec/claim.md) into the EEPROM of a new device.
 */
#ifndef EDG_SIM_FACTORY_H
#define EDG_SIM_FACTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "../port/posix/setupcode.h"

/* Writes the factory record into a blank EEPROM of SIM_EEPROM_BYTES. 0 or -1. */
int sim_factory_store(const edg_setup_code *code, uint8_t *eeprom);

/* True if the EEPROM holds this device's factory record. */
bool sim_factory_matches(const edg_setup_code *code, const uint8_t *eeprom);

#endif
