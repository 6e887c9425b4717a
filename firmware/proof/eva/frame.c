/* Frames, judged: any constraints, one after the other, each with a value of any length a frame has room for, for any request. Then, for every length of
 * payload and name, what reads those. */
#include "walk.h"
#include "../../core/bytes.c"
#include "../../core/frame.c"

static uint8_t payload[64], name[31];
static uint32_t scratch[EDG_OUT_MIN / sizeof(uint32_t) - 1]; /* what is left of it once it is aligned */
static edg_device dev;
static edg_slot slot;

uint32_t edg_clock_at(const edg_device *d, uint32_t now)
{
    (void)d, (void)now;
    return any_u32();
}

int edg_count_get(const edg_device *d, uint8_t cell)
{
    (void)d;
    //@ assert cell: cell < EDG_CELLS;
    return Frama_C_interval(-2, 255);
}

int8_t edg_count_raise(const edg_device *d, uint8_t cell)
{
    (void)d;
    //@ assert cell: cell < EDG_CELLS;
    return Frama_C_nondet(EDG_OK, EDG_ERR_STORAGE);
}

uint8_t edg_bucket_tokens(const edg_device *d, edg_bucket *b, uint8_t burst, uint16_t period)
{
    (void)d;
    //@ assert no_division_by_0: period > 0 && burst > 0;
    return (uint8_t)(b->tokens & any_u8(0, 255));
}

void edg_bucket_use(edg_device *d, edg_bucket *b) { b->order = d->buckets[0].order; }

int8_t edg_part_has(const uint8_t first[5], const uint8_t *body, uint8_t n, uint8_t self, uint8_t branch, const uint8_t *nonce)
{
    (void)self, (void)branch;
    readable(first, 5);
    readable(body, n);
    if (nonce != NULL)
        readable(nonce, 4);
    return (int8_t)Frama_C_nondet(0, 1);
}

/* eva/program.c has a run's parts. */
uint8_t edg_program_run(const uint8_t *body, uint8_t n, edg_program_input *in)
{
    readable(body, n);
    readable(in->name, in->name_len);
    readable(in->payload, in->payload_len);
    return any_u8(EDG_PROGRAM_FAILS, EDG_PROGRAM_BROKEN);
}

static void ask(edg_request *r, uint8_t payload_len, uint8_t name_len)
{
    any(r, sizeof *r);
    r->scratch = (uint8_t *)scratch;
    r->m.payload = payload + sizeof payload - payload_len;
    r->m.payload_len = payload_len;
    r->name = name + sizeof name - name_len;
    r->name_len = name_len;
}

/* Every constraint has the type and the length of value given, but for grants, which have that length. */
static void walk(uint8_t type, uint8_t n, uint8_t width)
{
    edg_request r;
    judged j;

    any(area, sizeof area);
    value_type = type;
    value_len = n;
    value_width = width;
    ask(&r, sizeof payload, sizeof name);
    any(&j, sizeof j);
    j.dev = &dev;
    j.r = &r;
    j.s = &slot;
    j.body = any_bytes(0);
    j.body_len = 0;
    edg_item_first(&j.item, j.body, 0);
    j.item.part = any_u8(0, EDG_MAX_PARTS - 1);
    j.item.frame = any_u8(1, EDG_MAX_FRAMES);
    (void)frame(&j, &r.type);
}

static void all_frames(void)
{
    edg_request r;

    value_type = EDG_T_COUNT;
    value_len = 2;
    ask(&r, sizeof payload, sizeof name);
    (void)edg_frames_hold(&dev, &r, &slot, any_bytes(0), 0);
}

static void payloads(uint8_t payload_len)
{
    edg_request r;
    uint8_t code;

    ask(&r, payload_len, 0);
    /*@ loop unroll 3; */
    for (code = 0; code < 3; code++) {
        uint8_t n = (uint8_t)(2 + (2 << code));

        any(area, sizeof area);
        area[MOST - n + 1] = (uint8_t)(4 * any_u8(0, 63) + code);
        (void)bound(&r, any_bytes(n), n);
    }
}

static void names(uint8_t name_len)
{
    edg_request r;
    uint8_t n;

    ask(&r, 0, name_len);
    /*@ loop unroll 32; */
    for (n = 0; n <= MAX_NAME; n++)
        (void)named(&r, any_u8(EDG_T_GRANT, EDG_T_GRANT_PREFIX), any_bytes(n), n);
}

void driver(void)
{
    uint8_t n, type;

    any(area, sizeof area);
    any(payload, sizeof payload);
    any(name, sizeof name);
    any(&dev, sizeof dev);
    any(&slot, sizeof slot);
    /*@ loop unroll 65; */
    for (n = 0; n <= sizeof payload; n++)
        payloads(n);
    /*@ loop unroll 32; */
    for (n = 0; n <= sizeof name; n++)
        names(n);
    /*@ loop unroll 48; */
    for (n = 0; n < EDG_MAX_FRAME; n++) {
        /*@ loop unroll 15; */
        for (type = T_BOUND; type <= T_ALSO + 1; type++)
            walk(type, n, 0);
    }
    walk(T_BOUND, 6, 1);
    walk(T_BOUND, 10, 2);
    walk(T_BOUND, 10, 3);
    all_frames();
    END();
}
