/* What the host asks of the chip that runs Ascon alone: read and written in the chip's RAM between two marks. */
#ifndef EDG_BENCH_ASCON_JOB_H
#define EDG_BENCH_ASCON_JOB_H

#include <stdint.h>

#define ASCON_MARK_READY 0x21u /* GPIOR1, GPIOR2: address of the job; the host reads the last one and writes the next */
#define ASCON_MARK_GO 0x22u    /* work begins */
#define ASCON_MARK_DONE 0x23u

enum { ASCON_SEAL, ASCON_OPEN, ASCON_SEAL_DATA };

/* Bytes only: the layout is the same on both machines. */
typedef struct ascon_job {
    uint8_t what;
    uint8_t n;
    uint8_t data_len;
    uint8_t key[16];
    uint8_t nonce[16];
    uint8_t text[64];
    uint8_t data[32];
    uint8_t tag[16];
} ascon_job;

#endif
