/* edg_coap_parse on any message of 0..1280 bytes (of more than 32: without a token), and what a private request has within, of 0..64 and 1280 bytes. A step
 * over an option goes anywhere further on, which eva/option_next.c has shown. */
#include "any.h"
#include "../../core/coap.c"
#include "../../core/private.c"

static edg_device dev;
static edg_slot slot;

int8_t edg_option_next(edg_option *o)
{
    uint16_t left = (uint16_t)(o->end - o->at);

    if (left == 0)
        return 0;
    if (Frama_C_nondet(0, 1))
        return (int8_t)Frama_C_nondet(0, EDG_ERR_MALFORMED);
    left = Frama_C_unsigned_short_interval(0, (uint16_t)(left - 1));
    o->at = o->end - left;
    o->number = Frama_C_unsigned_short_interval(0, 65535);
    return 1;
}

uint8_t *edg_digest(edg_device *d) { return d->sha.block; }
void edg_mac_begin(edg_device *d, const edg_pads *key, uint8_t label) { (void)d, (void)key, (void)label; }
void edg_mac_put8(edg_device *d, uint8_t v) { (void)d, (void)v; }
void edg_mac_end(edg_device *d, const edg_pads *key) { (void)key, any(d->sha.block, sizeof d->sha.block); }
void edg_store32(uint8_t *p, uint32_t v) { (void)v, any(p, 4); }

void edg_ascon_seal(const uint8_t key[16], const uint8_t nonce[16], uint8_t *text, uint16_t n, uint8_t tag[16])
{
    readable(key, 16);
    readable(nonce, 16);
    if (n > 0)
        any(text, n);
    any(tag, 16);
}

void edg_ascon_open(const uint8_t key[16], const uint8_t nonce[16], uint8_t *text, uint16_t n, uint8_t tag[16]) { edg_ascon_seal(key, nonce, text, n, tag); }

int8_t edg_same(const uint8_t *a, const uint8_t *b, uint8_t n)
{
    readable(a, n);
    readable(b, n);
    return (int8_t)Frama_C_nondet(0, 1);
}

uint8_t edg_request_inner(edg_request *r)
{
    //@ assert options: r->m.options >= r->in && r->m.options <= r->in + MOST;
    return any_u8(0, 28);
}

static void parse(uint16_t n, uint8_t token_len)
{
    const uint8_t *in = any_bytes(n);
    edg_coap m;

    if (n > 0) /* version, type, and the token length */
        area[MOST - n] = (uint8_t)(16 * any_u8(0, 15) + token_len);
    if (edg_coap_parse(&m, in, n) == EDG_OK && m.code != 0) {
        //@ assert token: m.token + m.token_len <= in + n;
        //@ assert options: m.options >= in && m.options <= in + n;
        //@ assert payload: m.payload >= in && m.payload <= in + n;
    }
    if (n > 0)
        area[MOST - n] = any_u8(0, 255);
}

static void private(uint16_t n)
{
    edg_request r;

    any(&r, sizeof r);
    r.s = &slot;
    r.in = area;
    r.m.payload = any_bytes(n);
    r.m.payload_len = n;
    (void)edg_private_open(&dev, &r);
    if (n >= EDG_PRIVATE_TAG)
        (void)edg_private_seal(&dev, &r, any_bytes(n), (uint16_t)(n - EDG_PRIVATE_TAG));
}

void driver(void)
{
    uint16_t n;
    uint8_t token_len;

    any(area, sizeof area);
    any(&dev, sizeof dev);
    any(&slot, sizeof slot);
    /*@ loop unroll 66; */
    for (n = 0; n <= MOST; n = (uint16_t)(n < 64 ? n + 1 : n < MOST ? MOST : MOST + 1))
        private(n);
    /*@ loop unroll 1281; */
    for (n = 0; n <= MOST; n++)
        /*@ loop unroll 16; */
        for (token_len = 0; token_len < 16; token_len++)
            if (n <= 32 || token_len == 0)
                parse(n, token_len);
    END();
}
