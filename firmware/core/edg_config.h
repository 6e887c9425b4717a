/* Limits of the core, each with what it costs in RAM on an 8-bit board (no padding). A port overrides them
 * on the command line or in a header of its own named by -DEDG_CONFIG_FILE='"file.h"'. */
#ifndef EDG_CONFIG_H
#define EDG_CONFIG_H

#include <limits.h>

#include "edg_table.h"

#ifdef EDG_CONFIG_FILE
#include EDG_CONFIG_FILE
#endif

/* Sessions kept at once; slot 0 is reserved for branch 0. 136 B each, one for each byte of EDG_RESULT_MAX, and one for each cell and bucket. 3..200. */
#ifndef EDG_SLOTS
#define EDG_SLOTS 3
#endif

/* Longest answer kept in a session to be sent again, and so the longest result of a function: 24 by docs/spec/capability.md. A service whose functions
 * all give less may say so: what is longer is then neither given nor kept. At least 8, of an append. A byte of each session. */
#ifndef EDG_RESULT_MAX
#define EDG_RESULT_MAX 24
#endif

/* Used cookies remembered for 10 s, for everybody and for branch 0 only. 4 B each. */
#ifndef EDG_RING
#define EDG_RING 16
#endif
#ifndef EDG_RING_OWNER
#define EDG_RING_OWNER 2
#endif

/* Counts kept in EEPROM (4 by docs/spec/capability.md), and token buckets in RAM: 14 B each. At most 4 and 8. */
#define EDG_CELLS 4
#ifndef EDG_BUCKETS
#define EDG_BUCKETS 4
#endif

/* Logs of a service, those of its functions included. 42 B each. A port takes the number from the service's list: EDG_TABLE_LOGS (edg_table.h). */
#ifndef EDG_LOGS
#define EDG_LOGS 3
#endif

/* 1: samples keep the period that their table says (edg_device_set_period is for others). 2 B less of each log. */
#ifndef EDG_FIXED_PERIODS
#define EDG_FIXED_PERIODS 0
#endif

/* Bytes for the entries of all logs in RAM: the sum of capacity * size. A port takes it from the service's list: EDG_TABLE_STORE (edg_table.h). */
#ifndef EDG_LOG_STORE
#define EDG_LOG_STORE 68
#endif

/* Longest message taken or given; up to 255, lengths are kept in a byte: smaller code on 8-bit machines. No RAM. */
#ifndef EDG_MAX_MESSAGE
#define EDG_MAX_MESSAGE 0xFFFF
#endif

/* Longest request payload that logs and functions take; it stays in the caller's buffer: no RAM. */
#ifndef EDG_MAX_PAYLOAD
#define EDG_MAX_PAYLOAD 64
#endif

/* Longest carried form (header and frames) taken; a longer one is refused with reason 21. It stays in the caller's buffer: no RAM. */
#ifndef EDG_MAX_CARRIED
#define EDG_MAX_CARRIED 207
#endif

/* 1: constraints of type PROGRAM are run (core/program.c); else they deny. No RAM but stack. */
#ifndef EDG_PROGRAM
#define EDG_PROGRAM 0
#endif

/* 1: private requests are understood (core/private.c, core/ascon.c); else they are refused. */
#ifndef EDG_PRIVACY
#define EDG_PRIVACY 0
#endif

/* Writes to a log in EEPROM: so many at once, then one per so many ticks of 100 ms. With 16 cells and 100,000
 * writes a cell the defaults last 30 years. No RAM beyond the log's own. */
#ifndef EDG_WEAR_BURST
#define EDG_WEAR_BURST 16
#endif
#ifndef EDG_WEAR_TICKS
#define EDG_WEAR_TICKS 6000UL
#endif

/* Where the core's records start in the EEPROM, and its size. No RAM. */
#ifndef EDG_NV_BASE
#define EDG_NV_BASE 0
#endif
#ifndef EDG_NV_SIZE
#define EDG_NV_SIZE 1024
#endif

/* Alignment of the SHA-256 block inside edg_device, for a port whose compression function wants one
 * (for example __attribute__((aligned(64)))). Costs the padding at the end of edg_device. */
#ifndef EDG_BLOCK_ALIGN
#define EDG_BLOCK_ALIGN
#endif

/* Where the device is, on a board that has but one: what a service calls takes it from here instead of its argument, and a compiler that sees the whole
 * program then knows the address everywhere. The same of platform, service and user, which the device then need not keep: 2 B each. */
#ifndef EDG_DEVICE
#define EDG_DEVICE(argument) (argument)
#endif
#ifndef EDG_PLATFORM
#define EDG_PLATFORM(dev) ((dev)->platform)
#define EDG_SERVICE(dev) ((dev)->service)
#define EDG_USER(dev) ((dev)->user)
#define EDG_KEEPS_PLATFORM 1
#else
#define EDG_KEEPS_PLATFORM 0
#endif

/* Called (as a statement) once for every HMAC that starts: lets a port count them. No RAM. */
#ifndef EDG_ON_HMAC
#define EDG_ON_HMAC() ((void)0)
#endif

/* Which SHA-256 compression: 1 sha256_block.c, for 8-bit machines; 0 sha256_word.c, for registers of 32 bits, five to six times as fast there; 1.3 kB of code
 * and 256 B of stack. */
#ifndef EDG_SHA256_BYTES
#define EDG_SHA256_BYTES (UINT_MAX == 0xFFFF)
#endif

/* Called (as a statement) once a protected request is judged, before anything is done about it. No RAM. */
#ifndef EDG_ON_VERDICT
#define EDG_ON_VERDICT() ((void)0)
#endif

/* Define EDG_PORT_SHA256_BLOCK when the port links its own edg_sha256_block. */

#endif
