/* edg_coap_parse on any message of 0..1280 bytes (of more than 32: without a token). A step over an option goes anywhere further on, which eva/option_next.c has shown. */
#include "any.h"

/* The parser itself; its edg_option_next is renamed on the way here. */
#include "../../core/coap-renamed.c"

int edg_option_next(edg_option *o)
{
    uint16_t left = (uint16_t)(o->end - o->at);

    if (left == 0)
        return 0;
    if (Frama_C_nondet(0, 1))
        return Frama_C_nondet(0, EDG_ERR_MALFORMED);
    left = Frama_C_unsigned_short_interval(0, (uint16_t)(left - 1));
    o->at = o->end - left;
    return 1;
}

static void parse(uint16_t n, uint8_t token_len)
{
    const uint8_t *in = any_bytes(n);
    edg_coap m;

    if (n > 0) /* version, type, and a token length: given, or (9) any that is illegal */
        area[MOST - n] = (uint8_t)(16 * Frama_C_unsigned_char_interval(0, 15) + (token_len < 9 ? token_len : Frama_C_unsigned_char_interval(9, 15)));
    if (edg_coap_parse(&m, in, n) == EDG_OK && m.code != 0) {
        //@ assert token: m.token + m.token_len <= in + n;
        //@ assert options: m.options >= in && m.options <= in + n;
        //@ assert payload: m.payload >= in && m.payload <= in + n;
    }
    if (n > 0)
        area[MOST - n] = Frama_C_unsigned_char_interval(0, 255);
}

void driver(void)
{
    uint16_t n;
    uint8_t token_len;

    any(area, sizeof area);
    /*@ loop unroll 1281; */
    for (n = 0; n <= MOST; n++)
        /*@ loop unroll 10; */
        for (token_len = 0; token_len < 10; token_len++)
            if (n <= 32 || token_len == 0)
                parse(n, token_len);
    END();
}
