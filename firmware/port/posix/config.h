/* The core's limits on a host: a UDP message may have 1,152 bytes, and RAM is plenty. */
#ifndef EDG_POSIX_CONFIG_H
#define EDG_POSIX_CONFIG_H

#define EDG_SLOTS 4
#define EDG_BUCKETS 8
#define EDG_PRIVACY 1
#define EDG_PROGRAM 1
#define EDG_LOG_STORE (2 * GREENHOUSE_KEEP + GREENHOUSE_CALLS)
#define GREENHOUSE_KEEP 240
#define GREENHOUSE_CALLS 16

#define POSIX_MESSAGE 1152

#endif
