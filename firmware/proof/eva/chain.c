/* The walks over a carried form that make keys: the session's, those of counts and rates, the discharges. HMAC reads what it is given, and gives anything. */
#include "walk.h"
#include "../../core/bytes.c"
#include "../../core/chain.c"

static edg_device dev;
static edg_desk desk;
static edg_slot slot;
static uint8_t digest[64];

uint8_t *edg_digest(edg_device *d)
{
    (void)d;
    return digest;
}

void edg_key_ready(edg_device *d, edg_pads *pads, const uint8_t *key)
{
    (void)d;
    readable(key, EDG_KEY);
    any(pads, sizeof *pads);
}

void edg_mac_begin(edg_device *d, const edg_pads *key, uint8_t label) { (void)d, (void)key, (void)label; }
void edg_mac_put8(edg_device *d, uint8_t v) { (void)d, (void)v; }
void edg_mac_put16(edg_device *d, uint16_t v) { (void)d, (void)v; }

void edg_mac_put(edg_device *d, const void *data, uint16_t n)
{
    (void)d;
    readable(data, n);
}

void edg_mac_end(edg_device *d, const edg_pads *key)
{
    (void)d, (void)key;
    any(digest, sizeof digest);
}

int8_t edg_owner_key(const edg_device *d, uint8_t key[EDG_KEY])
{
    (void)d;
    any(key, EDG_KEY);
    return (int8_t)Frama_C_nondet(EDG_OK, EDG_ERR_STORAGE);
}

int8_t edg_count_is(const edg_device *d, uint8_t cell, const uint8_t identity[8])
{
    (void)d;
    //@ assert cell: cell < EDG_CELLS;
    readable(identity, 8);
    return (int8_t)Frama_C_interval(-2, 1);
}

edg_bucket *edg_bucket_find(edg_device *d, const uint8_t identity[8])
{
    readable(identity, 8);
    return Frama_C_nondet(0, 1) ? &d->buckets[any_u8(0, EDG_BUCKETS - 1)] : NULL;
}

/* Lengths of frame and value, and of the whole, which does not matter to what walk.h makes of it. */
static void walk(uint8_t frame, uint8_t value)
{
    static uint8_t open[2 + EDG_NONCE + EDG_COOKIE];
    edg_request r;

    any(open, sizeof open);
    any(&r, sizeof r);
    frame_len = frame;
    value_len = value;
    r.proof = open;
    r.carried = any_bytes(EDG_HEADER + 1);
    r.carried_len = EDG_HEADER + 1;
    r.s = &slot;
    (void)edg_chain_session(&dev, &desk, &r);
    (void)edg_chain_settle(&dev, &desk, &r);
}

void driver(void)
{
    uint8_t n;

    any(area, sizeof area);
    any(&dev, sizeof dev);
    any(&desk, sizeof desk);
    any(&slot, sizeof slot);
    /*@ loop unroll 49; */
    for (n = 0; n <= EDG_MAX_FRAME; n++)
        walk(n, 44);
    /*@ loop unroll 48; */
    for (n = 0; n < EDG_MAX_FRAME; n++)
        walk(EDG_MAX_FRAME, n);
    END();
}
