/* Holds core/ascon.c against the official vectors, and against every message with one bit of it changed. */

#include "../core/edg_int.h"
#include "ascon_kat.h"
#include "check.h"

unsigned long check_failures, check_count;

static void with_data(const ascon_kat *k, uint8_t *text, uint8_t *tag, uint8_t open)
{
    uint8_t s[EDG_ASCON], i, left = 0;

    edg_ascon_begin(s, k->key, k->nonce);
    edg_ascon_data(s, k->data, k->data_len);
    edg_ascon_text(s, text, k->n, open);
    edg_ascon_end(s, k->key, tag);
    for (i = 0; i < EDG_ASCON; i++)
        left |= s[i];
    CHECK_EQ(left, 0);
}

/* Buffers end where the message does, so that a byte too many is seen by the sanitizer. */
static void one(const ascon_kat *k)
{
    uint8_t room[32], tag[16], *text = room + sizeof room - k->n;

    memcpy(text, k->text, k->n);
    with_data(k, text, tag, 0);
    CHECK(memcmp(text, k->sealed, k->n) == 0);
    CHECK(memcmp(tag, k->tag, 16) == 0);
    memset(tag, 0, sizeof tag);
    with_data(k, text, tag, 1);
    CHECK(memcmp(text, k->text, k->n) == 0);
    CHECK(memcmp(tag, k->tag, 16) == 0);
    if (k->data_len > 0)
        return;
    edg_ascon_seal(k->key, k->nonce, text, k->n, tag);
    CHECK(memcmp(text, k->sealed, k->n) == 0);
    CHECK(memcmp(tag, k->tag, 16) == 0);
    memset(tag, 0, sizeof tag);
    edg_ascon_open(k->key, k->nonce, text, k->n, tag);
    CHECK(memcmp(text, k->text, k->n) == 0);
    CHECK(memcmp(tag, k->tag, 16) == 0);
}

/* Every bit of key, nonce and encrypted text, at the tag length that a session uses: the first 8 bytes. */
static void flips(const ascon_kat *k)
{
    ascon_kat f;
    uint8_t tag[16];
    unsigned bit;

    for (bit = 0; bit < 8u * (32u + k->n); bit++) {
        uint8_t mask = (uint8_t)(1u << bit % 8);
        unsigned at = bit / 8;

        f = *k;
        if (at < 16)
            f.key[at] ^= mask;
        else if (at < 32)
            f.nonce[at - 16] ^= mask;
        else
            f.sealed[at - 32] ^= mask;
        edg_ascon_open(f.key, f.nonce, f.sealed, f.n, tag);
        CHECK(!edg_same(tag, k->tag, 8));
    }
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    unsigned kats = 0;
    ascon_kat k;
    int more;

    if (f == NULL) {
        (void)fprintf(stderr, "usage: test-ascon VECTORS\n");
        return 2;
    }
    while ((more = ascon_kat_next(f, &k)) == 1) {
        kats++;
        one(&k);
        if (k.data_len == 0)
            flips(&k);
    }
    (void)fclose(f);
    CHECK_EQ(more, 0);
    CHECK_EQ(kats, ASCON_KATS);
    printf("ascon: %u official vectors, %lu checks, %lu failures\n", kats, check_count, check_failures);
    return check_failures > 0;
}
