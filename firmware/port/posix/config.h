/* The core's limits on a host: a UDP message may have 1,152 bytes, and RAM is plenty. */
#ifndef EDG_POSIX_CONFIG_H
#define EDG_POSIX_CONFIG_H

#define EDG_SLOTS 4
#define EDG_BUCKETS 8
#define EDG_PRIVACY 1
#define EDG_PROGRAM 1
#define GREENHOUSE_KEEP 240
#define GREENHOUSE_CALLS 16
#include "../../greenhouse/table.h"
#define EDG_LOGS EDG_TABLE_LOGS(GREENHOUSE_TABLE)
#define EDG_LOG_STORE EDG_TABLE_STORE(GREENHOUSE_TABLE)

#define POSIX_MESSAGE 1152

#endif
