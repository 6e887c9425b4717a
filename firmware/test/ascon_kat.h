/* The official vectors of Ascon-AEAD128: capability/testdata/ascon_aead128.txt. */
#ifndef EDG_TEST_ASCON_KAT_H
#define EDG_TEST_ASCON_KAT_H

#include <stdint.h>
#include <stdio.h>

#define ASCON_KATS 1089

typedef struct ascon_kat {
    unsigned count;
    uint8_t key[16], nonce[16];
    uint8_t text[32], data[32], sealed[32], tag[16];
    uint8_t n, data_len; /* of text and sealed; of data */
} ascon_kat;

/* 1: the next one; 0: no more; -1: the file is not as it should be. */
int ascon_kat_next(FILE *f, ascon_kat *k);

#endif
