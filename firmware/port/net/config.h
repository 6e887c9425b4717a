/* The core's limits on a 32-bit board with a network: a UDP message may have 1,152 bytes, and there are 64 KiB of RAM. */
#ifndef EDG_NET_CONFIG_H
#define EDG_NET_CONFIG_H

#define EDG_SLOTS 8
#define EDG_BUCKETS 8
#define EDG_PRIVACY 1
#define EDG_PROGRAM 1
#define GREENHOUSE_KEEP 240
#define GREENHOUSE_CALLS 16
#include "../../greenhouse/table.h"
#define EDG_LOGS EDG_TABLE_LOGS(GREENHOUSE_TABLE)
#define EDG_LOG_STORE EDG_TABLE_STORE(GREENHOUSE_TABLE)

#define BOARD_MESSAGE 1152

#endif
