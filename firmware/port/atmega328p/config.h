/* The core's limits on the ATmega328P (core/edg_config.h), and what it does there in its own way. */
#ifndef EDG_ATMEGA328P_CONFIG_H
#define EDG_ATMEGA328P_CONFIG_H

#include <avr/io.h>

#include "marks.h"

#define EDG_NV_SIZE 1024
#define EDG_MAX_MESSAGE 255

/* The valve gives one byte; 8 are the answer to an append. */
#define EDG_RESULT_MAX 8

/* sha256_block.S; it wants its block aligned to 64 bytes, which main.c does for the device as a whole: as an attribute of the
 * type it would pad the device as well. */
#define EDG_PORT_SHA256_BLOCK

/* ascon_permute.S; EDG_PORT_ASCON_SMALL beside it chooses flash over cycles there (make ascon shows both). */
#define EDG_PORT_ASCON_PERMUTE

/* One device, one platform (main.c) and one service: 0.6 kB of flash. */
struct greenhouse;
struct edg_device;
struct edg_platform;
struct edg_service;
extern struct edg_device board_device;
extern const struct edg_platform board_platform;
extern const struct edg_service greenhouse_service;
extern struct greenhouse board_greenhouse;
#define EDG_DEVICE(argument) ((void)(argument), &board_device)
#define EDG_PLATFORM(dev) ((void)(dev), &board_platform)
#define EDG_SERVICE(dev) ((void)(dev), &greenhouse_service)
#define EDG_USER(dev) ((void)(dev), &board_greenhouse)

#define EDG_ON_HMAC() (GPIOR0 = EDG_MARK_HMAC)
#define EDG_ON_VERDICT() (GPIOR0 = EDG_MARK_VERDICT)

#define GREENHOUSE_BOARD "ATmega328P"
#define GREENHOUSE_FIXED 1
#define EDG_FIXED_PERIODS 1
#include "../../greenhouse/table.h"
#define EDG_LOGS EDG_TABLE_LOGS(GREENHOUSE_TABLE)
#define EDG_LOG_STORE EDG_TABLE_STORE(GREENHOUSE_TABLE)
#define GREENHOUSE_ON_VALVE(g) valve_set((g)->position, (uint8_t)(g)->count)
void valve_set(uint8_t percent, uint8_t count);

#endif
