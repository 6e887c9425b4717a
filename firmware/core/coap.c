#include "edg_int.h"

/*      0                   1                   2                   3
 *     |Ver| T |  TKL  |      Code     |          Message ID           |
 *     | token (0..8) | options | FF payload                            |       RFC 7252 3 */
int8_t edg_coap_parse(edg_coap *m, const uint8_t *in, edg_len n)
{
    if (n < 4)
        return EDG_ERR_MALFORMED;
    m->type = (in[0] >> 4) & 3;
    m->token_len = in[0] & 15;
    m->code = in[1];
    m->id = edg_load16(in + 2);
    if (in[0] >> 6 != 1 || m->token_len > 8 || n < 4u + m->token_len)
        return EDG_ERR_MALFORMED;
    m->token = in + 4;
    if (m->code == 0)
        return n == 4 ? EDG_OK : EDG_ERR_MALFORMED;
    return edg_coap_body(m, m->token + m->token_len, (edg_len)(n - 4 - m->token_len));
}

int8_t edg_coap_body(edg_coap *m, const uint8_t *in, edg_len n)
{
    edg_option o;
    int8_t more;

    m->options = in;
    m->count = 0;
    m->is_protected = 0;
    edg_option_first(&o, in, n);
    while ((more = edg_option_next(&o)) > 0) {
        if (m->count < 255)
            m->count++;
        if (o.number == EDG_OPT_REQUEST)
            m->is_protected = 1;
    }
    if (more < 0)
        return more;
    m->options_len = (edg_len)(o.at - m->options);
    m->payload = o.at;
    m->payload_len = (edg_len)(o.end - o.at);
    if (m->payload_len == 1)
        return EDG_ERR_MALFORMED; /* a marker with nothing behind it */
    if (o.at != o.end) {
        m->payload = o.at + 1;
        m->payload_len--;
    }
    return EDG_OK;
}

void edg_option_first(edg_option *o, const uint8_t *options, edg_len len)
{
    o->at = options;
    o->end = options + len;
    o->number = 0;
}

/* The extension of a nibble from 13 up; 1, or 0 if there is no such number. */
static int8_t extend(edg_option *o, uint16_t *value)
{
    edg_len left = (edg_len)(o->end - o->at);

    if (*value == 15 || left < *value - 12u)
        return 0;
    if (*value == 13) {
        *value = (uint16_t)(13u + *o->at++);
        return 1;
    }
    *value = edg_load16(o->at);
    o->at += 2;
    if (*value > 0xFFFFu - 269u)
        return 0;
    *value = (uint16_t)(*value + 269u);
    return 1;
}

int8_t edg_option_next(edg_option *o)
{
    uint16_t delta, len;

    if (o->at == o->end || *o->at == 0xFF)
        return 0;
    delta = *o->at >> 4;
    len = *o->at++ & 15;
    if ((delta > 12 && !extend(o, &delta)) || (len > 12 && !extend(o, &len)))
        return EDG_ERR_MALFORMED;
    if (delta > 0xFFFFu - o->number || len > (edg_len)(o->end - o->at))
        return EDG_ERR_MALFORMED;
    o->number = (uint16_t)(o->number + delta);
    o->len = (edg_len)len;
    o->value = o->at;
    o->at += len;
    return 1;
}

uint16_t edg_option_uint(const edg_option *o)
{
    uint16_t v = 0;
    edg_len i;

    for (i = 0; i < o->len; i++) {
        if (v > 0xFF)
            return 0xFFFF;
        v = (uint16_t)((v << 8) | o->value[i]);
    }
    return v;
}
