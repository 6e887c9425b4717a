/* edg_request_read, part by part: each option of any number and length, the whole walk over options, a proof of 17..255 bytes, a query and a path of any
 * lengths that the options before them let through. */
#include "any.h"
#include "../../core/bytes.c"
#include "../../core/option.c"
#include "../../core/request.c"

static edg_device dev;

/* The options as eva/option_next.c has shown them. A value's bytes are the subject of `option`, not of the walk. */
void edg_option_first(edg_option *o, const uint8_t *options, uint16_t len)
{
    o->at = options;
    o->end = options + len;
    o->number = 0;
}

static uint16_t all_len = MOST; /* of every option; MOST: any */

int8_t edg_option_next(edg_option *o)
{
    o->number = Frama_C_unsigned_short_interval(0, 65535);
    o->len = all_len != MOST ? all_len : Frama_C_unsigned_short_interval(0, MOST);
    o->value = any_bytes(all_len);
    return (int8_t)Frama_C_interval(EDG_ERR_MALFORMED, 1);
}

static uint8_t alone; /* one option is looked at, whose number and length are known */

uint16_t edg_option_uint(const edg_option *o)
{
    if (alone) {
        //@ assert fits: o->len <= 4;
    }
    return Frama_C_unsigned_short_interval(0, 0xFFFF);
}

void edg_mac_put(edg_device *d, const void *data, uint16_t n) { (void)d, (void)data, (void)n; }
void edg_mac_put8(edg_device *d, uint8_t v) { (void)d, (void)v; }
void edg_mac_put16(edg_device *d, uint16_t v) { (void)d, (void)v; }
void edg_mac_put32(edg_device *d, uint32_t v) { (void)d, (void)v; }
int8_t edg_carried_formed(const uint8_t *carried, uint8_t n) { return n > EDG_HEADER && carried[n - 1] < 255 ? (int8_t)Frama_C_nondet(0, 1) : 0; }

static void option(uint16_t len, uint16_t first, uint16_t last)
{
    edg_request r;
    edg_option o;
    path p;

    any(&r, sizeof r);
    p.n = Frama_C_unsigned_char_interval(0, MAX_SEGMENTS);
    p.queries = Frama_C_unsigned_char_interval(0, MAX_QUERIES);
    p.last_len = any_u8(0, MAX_NAME);
    p.last = any_bytes(MAX_NAME);
    o.number = Frama_C_unsigned_short_interval(first, last);
    o.len = len;
    o.value = any_bytes(len);
    alone = 1;
    if (check_option(&r, &o, any_u8(PLAIN, INNER)) == 0)
        note_option(&r, &o, &p);
    alone = 0;
}

/* Accept and Block2, whose value is read as a number, and all the others. */
static void options(uint16_t len)
{
    option(len, EDG_OPT_ACCEPT, EDG_OPT_ACCEPT);
    option(len, EDG_OPT_BLOCK2, EDG_OPT_BLOCK2);
    option(len, 0, EDG_OPT_ACCEPT - 1);
    option(len, EDG_OPT_ACCEPT + 1, EDG_OPT_BLOCK2 - 1);
    option(len, EDG_OPT_BLOCK2 + 1, 65535);
}

static void walk(void)
{
    edg_request r;
    path p;

    any(&r, sizeof r);
    r.m.options = area;
    r.m.options_len = MOST;
    (void)read_options(&r, &p, any_u8(PLAIN, INNER));
    (void)read_outer(&r);
    edg_mac_message(&dev, 1, area, MOST, area, 0, EDG_O_REQUEST, 8);
}

static void proof(uint8_t len)
{
    edg_request r;

    any(&r, sizeof r);
    r.carried = NULL;
    r.proof = any_bytes(len);
    (void)read_proof(&r, len);
}

static void queries(uint16_t len)
{
    edg_request r;

    any(&r, sizeof r);
    all_len = len;
    (void)read_queries(&r);
    all_len = MOST;
}

static void one_path(uint8_t first, uint8_t second)
{
    static uint8_t other[MAX_NAME];
    edg_request r;
    path p;

    any(&r, sizeof r);
    any(other, sizeof other);
    p.n = Frama_C_unsigned_char_interval(0, MAX_SEGMENTS);
    p.before_len = first;
    p.last_len = second;
    p.before = any_bytes(first);
    p.last = other + MAX_NAME - second;
    read_target(&r, &p);
}

void driver(void)
{
    uint16_t len;

    any(area, sizeof area);
    any(&dev, sizeof dev);
    /*@ loop unroll 41; */
    for (len = 0; len <= 40; len++)
        options(len);
    options(Frama_C_unsigned_short_interval(41, MOST));
    walk();
    /*@ loop unroll 239; */
    for (len = 17; len <= 255; len++)
        proof((uint8_t)len);
    /*@ loop unroll 32; */
    for (len = 0; len <= 31; len++)
        queries(len);
    /*@ loop unroll 32; */
    for (len = 0; len <= 31; len++) {
        one_path((uint8_t)len, 31);
        one_path(1, (uint8_t)len);
        one_path(11, (uint8_t)len);
    }
    END();
}
