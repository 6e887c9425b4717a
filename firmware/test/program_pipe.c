/* The program constraint on lines, for the shared vectors and for another implementation to be held against. A line on stdin is
 *
 *     VERDICT OP FIRST LAST HOLD UNIX TICK NAME PAYLOAD BODY
 *
 * with decimal numbers and bytes in hex, "-" for none; lines that start with # say nothing. "edg-programs check" ends with an error if a
 * verdict (0 fails, 1 holds, 2 broken) is not the one given; without "check" the verdicts go to stdout, a digit each, at the latest when an
 * empty line comes. */

#include "../core/edg_int.h"
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE = 4096, BYTES = 1024 };

/* Bytes of their own, so that the sanitizer sees one read too far. */
static uint8_t *bytes(const char *text, size_t cap, size_t *n)
{
    uint8_t got[BYTES], *exact;
    long len = strcmp(text, "-") == 0 ? 0 : bench_hex(text, got, cap);

    if (len < 0 || (exact = malloc((size_t)len + (len == 0))) == NULL)
        return NULL;
    memcpy(exact, got, (size_t)len);
    *n = (size_t)len;
    return exact;
}

static int judge(const edg_program_input *given, const char *name, const char *payload, const char *body)
{
    edg_program_input in = *given;
    size_t name_len = 0, payload_len = 0, n = 0;
    uint8_t *b[3];
    int verdict = -1;

    b[0] = bytes(name, 255, &name_len);
    b[1] = bytes(payload, BYTES, &payload_len);
    b[2] = bytes(body, 255, &n);
    if (b[0] != NULL && b[1] != NULL && b[2] != NULL) {
        in.name = b[0];
        in.payload = b[1];
        in.name_len = (uint8_t)name_len;
        in.payload_len = (uint16_t)payload_len;
        verdict = edg_program_run(b[2], (uint8_t)n, &in);
    }
    free(b[0]);
    free(b[1]);
    free(b[2]);
    return verdict;
}

int main(int argc, char **argv)
{
    static char line[LINE], name[LINE], payload[LINE], body[LINE];
    int check = argc == 2 && strcmp(argv[1], "check") == 0;
    unsigned long lines = 0, wrong = 0;

    while (fgets(line, sizeof line, stdin) != NULL) {
        edg_program_input in;
        unsigned want, op, hold;
        unsigned long first, last, unix_now, tick;
        int got;

        if (line[0] == '\n')
            (void)fflush(stdout);
        if (line[0] == '#' || line[0] == '\n')
            continue;
        lines++;
        memset(&in, 0, sizeof in);
        if (sscanf(line, "%u %u %lu %lu %u %lu %lu %4095s %4095s %4095s", &want, &op, &first, &last, &hold, &unix_now, &tick, name, payload, body) != 10) {
            (void)fprintf(stderr, "programs: line %lu is none\n", lines);
            return 1;
        }
        in.local[EDG_PARAM_OP] = (uint32_t)op;
        in.local[EDG_PARAM_FIRST] = (uint32_t)first;
        in.local[EDG_PARAM_LAST] = (uint32_t)last;
        in.local[EDG_PARAM_HOLD] = (uint32_t)hold;
        in.local[EDG_PARAM_UNIX] = (uint32_t)unix_now;
        in.local[EDG_PARAM_TICK] = (uint32_t)tick;
        got = judge(&in, name, payload, body);
        if (got < 0) {
            (void)fprintf(stderr, "programs: bytes of line %lu\n", lines);
            return 1;
        }
        if (!check) {
            (void)putchar('0' + got);
        } else if (got != (int)want) {
            wrong++;
            (void)fprintf(stderr, "FAIL verdict %d, want %u: %s", got, want, line);
        }
    }
    if (check)
        printf("programs: %lu verdicts, %lu failures\n", lines, wrong);
    return wrong > 0 || (check && lines == 0) || fflush(stdout) != 0;
}
