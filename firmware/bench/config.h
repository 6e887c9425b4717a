/* The core's limits in the benchmark images (core/edg_config.h): those of the board they stand for, and marks. */
#ifndef EDG_BENCH_CONFIG_H
#define EDG_BENCH_CONFIG_H

#include "mark.h"

#define EDG_ON_VERDICT() edg_mark_verdict()

#ifdef __AVR__
#define EDG_PORT_SHA256_BLOCK /* port/atmega328p/sha256_block.S */
#endif

#endif
