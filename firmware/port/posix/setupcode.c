#include "setupcode.h"

#include "../../core/edg.h"

#include <string.h>

enum { MAX_TEXT = 128, SYMBOLS = 36, BYTES = 22, PREFIX = 7 };

static const char prefix[] = "EDGDEV1";

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

/* Crockford's alphabet: O reads as 0, I and L as 1. -1: no symbol. */
static int symbol(char c)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const char *at;

    c = upper(c);
    if (c == 'O')
        c = '0';
    if (c == 'I' || c == 'L')
        c = '1';
    at = memchr(alphabet, c, sizeof alphabet - 1);
    return at != NULL ? (int)(at - alphabet) : -1;
}

static int check_good(const uint8_t bytes[BYTES])
{
    edg_sha256 sha;
    uint8_t sum[32];

    edg_sha256_init(&sha);
    edg_sha256_update(&sha, prefix, PREFIX);
    edg_sha256_update(&sha, bytes, BYTES - 2);
    edg_sha256_final(&sha, sum);
    return memcmp(sum, bytes + BYTES - 2, 2) == 0;
}

int edg_setup_code_parse(const char *text, edg_setup_code *code)
{
    uint8_t bytes[BYTES + 1] = {0}; /* 36 symbols have 180 bits: 22 bytes, and 4 bits that are 0 */
    size_t len = strlen(text), at, n = 0;

    if (len > MAX_TEXT)
        return EDG_ERR_MALFORMED;
    for (at = 0; at < len; at++) {
        int v;

        if (text[at] == '-' || text[at] == ' ')
            continue;
        if (n < PREFIX) {
            if (upper(text[at]) != prefix[n])
                return EDG_ERR_MALFORMED;
        } else {
            unsigned bit = (unsigned)(n - PREFIX) * 5, wide;

            v = symbol(text[at]);
            if (v < 0 || n - PREFIX >= SYMBOLS)
                return EDG_ERR_MALFORMED;
            wide = (unsigned)v << (11 - bit % 8); /* 5 bits within the 16 that start at byte bit / 8 */
            bytes[bit / 8] = (uint8_t)(bytes[bit / 8] | (wide >> 8));
            if ((wide & 0xFF) != 0)
                bytes[bit / 8 + 1] = (uint8_t)(bytes[bit / 8 + 1] | (wide & 0xFF));
        }
        n++;
    }
    if (n != PREFIX + SYMBOLS || bytes[BYTES] != 0 || !check_good(bytes))
        return EDG_ERR_MALFORMED;
    memcpy(code->id, bytes, sizeof code->id);
    memcpy(code->seed, bytes + sizeof code->id, sizeof code->seed);
    return EDG_OK;
}
