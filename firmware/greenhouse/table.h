/* What the sample offers: the one list that a log or function is added to (core/edg_table.h), and its sizes, which a port may choose. It holds macros only,
 * so that the port's configuration can take the core's limits from it. */
#ifndef GREENHOUSE_TABLE_H
#define GREENHOUSE_TABLE_H

/* Between two temperatures. */
#ifndef GREENHOUSE_PERIOD_SECONDS
#define GREENHOUSE_PERIOD_SECONDS 10
#endif
#define GREENHOUSE_PERIOD_TICKS (10 * GREENHOUSE_PERIOD_SECONDS)

/* 1: the links are a text in greenhouse.c. */
#ifndef GREENHOUSE_FIXED
#define GREENHOUSE_FIXED 0
#endif

/* Temperatures and calls kept in RAM, 2 bytes and 1 byte each. */
#ifndef GREENHOUSE_KEEP
#define GREENHOUSE_KEEP 32
#endif
#ifndef GREENHOUSE_CALLS
#define GREENHOUSE_CALLS 4
#endif

/* Events kept in EEPROM, 30 bytes each. */
#ifndef GREENHOUSE_EVENTS
#define GREENHOUSE_EVENTS 16
#endif

#ifndef GREENHOUSE_BOARD
#define GREENHOUSE_BOARD "posix"
#endif

#define GREENHOUSE_TABLE(SAMPLED, LOG, FUNCTION)                                                                             \
    SAMPLED(GREENHOUSE_TEMPERATURE, "temperature", 2, GREENHOUSE_KEEP, 0, GREENHOUSE_PERIOD_SECONDS, sample_temperature)     \
    LOG(GREENHOUSE_EVENT, "events", 4, GREENHOUSE_EVENTS, EDG_LOG_EEPROM | EDG_LOG_POST)                                     \
    FUNCTION(GREENHOUSE_VALVE, "valve", U8, 0, 100, GREENHOUSE_CALLS, call_valve)

#endif
