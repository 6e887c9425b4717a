#include "../core/edg_int.h"
#include "check.h"

#include <stdlib.h>

/* Verdicts stand in capability/testdata/programs.txt; here is what they do not reach. */

/* A copy of exactly n bytes, so that the sanitizer sees one read too far. */
static uint8_t run(const uint8_t *body, size_t n, edg_program_input *in)
{
    uint8_t *exact = malloc(n + (n == 0)), verdict;

    if (exact == NULL)
        abort();
    memcpy(exact, body, n);
    verdict = edg_program_run(exact, (uint8_t)n, in);
    free(exact);
    return verdict;
}

/* Every byte of a body with all kinds of immediates made every value, and cut before it: no read outside, one of three verdicts. */
static void bytes(void)
{
    static const uint8_t good[] = {0x01, 0x02, 0x7F, 0x03, 0x40, 0x20, 0x09, 0x2D, 0x00, 0x20, 0x20, 0x0A, 0x6A, 0x21, 0x0A, 0x20, 0x09, 0x41, 0x81, 0x00,
                                   0x6A, 0x22, 0x09, 0x20, 0x02, 0x49, 0x0D, 0x00, 0x0B, 0x20, 0x0A, 0x04, 0x7F, 0x41, 0x01, 0x05, 0x41, 0x00, 0x0B, 0x0B};
    uint8_t body[sizeof good];
    unsigned seen[3] = {0, 0, 0};
    size_t i, n;
    unsigned v;

    for (i = 0; i < sizeof good; i++)
        for (v = 0; v < 256; v++)
            for (n = i; n <= sizeof good; n += sizeof good - i) {
                edg_program_input in;

                memset(&in, 0, sizeof in);
                in.payload = good;
                in.payload_len = 3;
                memcpy(body, good, sizeof good);
                body[i] = (uint8_t)v;
                seen[run(body, n, &in)]++;
            }
    CHECK(seen[EDG_PROGRAM_FAILS] > 100);
    CHECK(seen[EDG_PROGRAM_HOLDS] > 100);
    CHECK(seen[EDG_PROGRAM_BROKEN] > 10000);
}

/* (i32.load8_u (i32.const 65535)): the last byte of a payload that fills the memory, and of one that is a byte shorter. */
static void memory(void)
{
    static const uint8_t last[] = {0x00, 0x41, 0xFF, 0xFF, 0x03, 0x2D, 0x00, 0x00, 0x0B};
    edg_program_input in;
    uint8_t *payload = malloc(65535);
    uint32_t len;

    if (payload == NULL)
        abort();
    memset(payload, 1, 65535);
    for (len = 65502; len <= 65535; len++) {
        memset(&in, 0, sizeof in);
        in.payload = payload;
        in.payload_len = (uint16_t)len;
        CHECK_EQ(run(last, sizeof last, &in), len >= 65504 ? EDG_PROGRAM_HOLDS : EDG_PROGRAM_FAILS);
        CHECK_EQ(in.local[EDG_PARAM_PAYLOAD_LEN], len);
    }
    free(payload);
}

/* What stood in the declared locals and in the parameters that a run sets itself does not matter. */
static void stale(void)
{
    static const uint8_t zero[] = {0x01, 0x08, 0x7F, 0x20, 0x10, 0x20, 0x09, 0x72, 0x20, 0x01, 0x72, 0x20, 0x02, 0x72, 0x20, 0x03, 0x72, 0x45, 0x0B};
    edg_program_input in;

    memset(&in, 0xA5, sizeof in);
    in.payload_len = 0;
    in.name_len = 0;
    CHECK_EQ(run(zero, sizeof zero, &in), EDG_PROGRAM_HOLDS);
}

void test_program(void)
{
    bytes();
    memory();
    stale();
}
