/* A frame of 0..48 bytes, judged against any request; and the form of any carried form of 0..255 bytes. A walk over several frames is the same step
 * again, from where the form said that the next one starts. */
#include "any.h"
#include "../../core/bytes.c"

/* frame.c itself, but for this: frame() stops after its first constraint, and asserts that the next one would start within the frame. So every step of
 * its loop is the first one of a shorter frame: what is left of it is all that a step looks at. */
#include "../../core/frame-step.c"

static uint8_t payload[64], name[31];
static edg_device dev;

uint32_t edg_clock_at(const edg_device *d, uint32_t now)
{
    (void)d;
    (void)now;
    return Frama_C_unsigned_int_interval(0, 0xFFFFFFFFU);
}

/* payload_len and name_len are given, so that a read behind either shows. */
static void judge(uint8_t len, uint8_t payload_len, uint8_t name_len)
{
    edg_request r;
    uint8_t type = 0;

    any(&r, sizeof r);
    r.m.payload = payload + sizeof payload - payload_len;
    r.m.payload_len = payload_len;
    r.name = name + sizeof name - name_len;
    r.name_len = name_len;
    (void)frame(&dev, &r, any_bytes(len), len, Frama_C_unsigned_int_interval(0, 0xFFFFFFFFU), &type);
}

/* A carried form of one frame, through the functions that the guard calls. */
static void carried(uint8_t n)
{
    edg_request r;

    if (edg_carried_formed(any_bytes(n), n)) {
        //@ assert long_enough: n > EDG_HEADER;
    }
    if (n > EDG_HEADER && n - EDG_HEADER - 1 <= EDG_MAX_FRAME) {
        any(&r, sizeof r);
        r.m.payload = payload;
        r.m.payload_len = sizeof payload;
        r.name = name;
        r.name_len = sizeof name;
        area[MOST - n + EDG_HEADER] = (uint8_t)(n - EDG_HEADER - 1);
        (void)edg_frames_hold(&dev, &r, any_bytes(n), n, Frama_C_unsigned_int_interval(0, 0xFFFFFFFFU));
        any(area, sizeof area);
    }
}

void driver(void)
{
    uint8_t len, other;
    uint16_t n;

    any(area, sizeof area);
    any(payload, sizeof payload);
    any(name, sizeof name);
    any(&dev, sizeof dev);
    /*@ loop unroll 49; */
    for (len = 0; len <= EDG_MAX_FRAME; len++)
        judge(len, sizeof payload, sizeof name);
    /*@ loop unroll 65; */
    for (other = 0; other <= sizeof payload; other++)
        judge(EDG_MAX_FRAME, other, sizeof name);
    /*@ loop unroll 32; */
    for (other = 0; other <= sizeof name; other++)
        judge(EDG_MAX_FRAME, sizeof payload, other);
    /*@ loop unroll 256; */
    for (n = 0; n <= 255; n++)
        carried((uint8_t)n);
    END();
}
