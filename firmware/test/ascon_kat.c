#include "ascon_kat.h"

#include <string.h>

#include "bench.h"

/* The value of a line "name = hex"; the bytes of it, or -1. */
static long value(FILE *f, const char *name, uint8_t *out, size_t cap)
{
    char line[160];
    size_t n = strlen(name);

    if (fgets(line, sizeof line, f) == NULL || strncmp(line, name, n) != 0 || strncmp(line + n, " = ", 3) != 0)
        return -1;
    return bench_hex(line + n + 3, out, cap);
}

int ascon_kat_next(FILE *f, ascon_kat *k)
{
    uint8_t sealed[48];
    long n, data_len;

    if (fscanf(f, " Count = %u ", &k->count) != 1)
        return feof(f) ? 0 : -1;
    if (value(f, "Key", k->key, sizeof k->key) != 16 || value(f, "Nonce", k->nonce, sizeof k->nonce) != 16)
        return -1;
    n = value(f, "PT", k->text, sizeof k->text);
    data_len = value(f, "AD", k->data, sizeof k->data);
    if (n < 0 || data_len < 0 || value(f, "CT", sealed, sizeof sealed) != n + 16)
        return -1;
    k->n = (uint8_t)n;
    k->data_len = (uint8_t)data_len;
    memcpy(k->sealed, sealed, (size_t)n);
    memcpy(k->tag, sealed + n, 16);
    return 1;
}
