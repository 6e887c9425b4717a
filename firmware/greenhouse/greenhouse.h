/* The sample nanoservice: a temperature log that grows by itself, a valve that can be called, and a log of what happened that survives power loss.
 *
 *     temperature   2 bytes: signed tenths of a degree Celsius; every GREENHOUSE_PERIOD_TICKS
 *     events        4 bytes: kind u8 | value u8 | count u16
 *     valve         argument 1 byte: 0..100 percent; result 1 byte: the position
 */
#ifndef GREENHOUSE_H
#define GREENHOUSE_H

#include "../core/edg.h"
#include "table.h"

EDG_TABLE_INDEXES(GREENHOUSE_TABLE); /* of the logs */

/* Kinds of events. The value is the valve's position; the count is how often it was moved since boot, or of BOOT and CLAIMED the boot counter's low half. */
enum { GREENHOUSE_BOOT = 1, GREENHOUSE_CLAIMED = 2, GREENHOUSE_MOVED = 3 };

/* Moves the real valve (a statement). A port that defines it needs no hook. */
#ifndef GREENHOUSE_ON_VALVE
#define GREENHOUSE_ON_VALVE(g) ((g)->on_valve != NULL ? (g)->on_valve((g)->ctx, (g)->position, (g)->count) : (void)0)
#define GREENHOUSE_HOOK 1
#else
#define GREENHOUSE_HOOK 0
#endif

/* The port sets hook, ctx and period, zero else, and gives it to edg_device_init as user. */
typedef struct greenhouse {
#if GREENHOUSE_HOOK
    void (*on_valve)(void *ctx, uint8_t percent, uint16_t count); /* may be NULL */
    void *ctx;
#endif
#if !EDG_FIXED_PERIODS
    uint16_t period;  /* ticks between two temperatures; 0: GREENHOUSE_PERIOD_TICKS */
#endif
    uint16_t count;   /* moves since boot */
    uint8_t position; /* percent open */
    uint8_t unwritten; /* events to write, a bit of each kind; of moves the newest, once the log's budget allows */
} greenhouse;

extern const edg_service greenhouse_service;

#endif
