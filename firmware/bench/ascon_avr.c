/* Ascon alone on the ATmega328P, driven by ascon_sim.c. */
#include "../core/edg_int.h"
#include "ascon_job.h"

#include <avr/io.h>

static volatile ascon_job mailbox;

#ifdef ASCON_DATA
static void seal_data(ascon_job *j)
{
    uint8_t s[EDG_ASCON];

    edg_ascon_begin(s, j->key, j->nonce);
    edg_ascon_data(s, j->data, j->data_len);
    edg_ascon_text(s, j->text, j->n, 0);
    edg_ascon_end(s, j->key, j->tag);
}
#endif

/* Not inlined, so that the stack it takes begins at its call. */
static void __attribute__((noinline)) work(ascon_job *j)
{
#ifdef ASCON_DATA
    if (j->what == ASCON_SEAL_DATA) {
        seal_data(j);
        return;
    }
#endif
#ifndef ASCON_NOTHING /* what is left then is what the image has without Ascon */
    if (j->what == ASCON_SEAL)
        edg_ascon_seal(j->key, j->nonce, j->text, j->n, j->tag);
    else
        edg_ascon_open(j->key, j->nonce, j->text, j->n, j->tag);
#else
    (void)j;
#endif
}

int main(void)
{
    for (;;) {
        GPIOR1 = (uint8_t)(uintptr_t)&mailbox;
        GPIOR2 = (uint8_t)((uintptr_t)&mailbox >> 8);
        GPIOR0 = ASCON_MARK_READY;
        GPIOR0 = ASCON_MARK_GO;
        work((ascon_job *)(uintptr_t)&mailbox);
        GPIOR0 = ASCON_MARK_DONE;
    }
}
