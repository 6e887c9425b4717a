#include "edg_int.h"

/* docs/spec/capability.md, Frames: judged in place, in one pass. */

enum {
    T_INVALID = 0,
    T_GRANT = 1,
    T_GRANT_PREFIX = 2,
    T_BOUND = 3,
    T_SEQ = 4,
    T_EXPIRY = 5,
    T_NOT_BEFORE = 6,
    T_LEASE = 7,
    T_HOLD = 8,
    T_SALT = 9
};

enum { RESERVED_OPS = 0xC0, MAX_NAME = 31 };
enum { WIDTH = 3, SIGNED = 4, LITTLE_ENDIAN_FIELD = 8, RESERVED_FORMAT = 0xF0 };

/* What a constraint says of the request. */
enum { HOLDS, FAILS, FAILS_NO_CLOCK, BROKEN };

int edg_carried_formed(const uint8_t *carried, uint8_t n)
{
    uint8_t at = EDG_HEADER, frames = 0;

    if (n < EDG_HEADER || carried[0] >> 4 != EDG_VERSION)
        return 0;
    while (at < n) {
        uint8_t len = carried[at];

        if (len > EDG_MAX_FRAME || len > n - at - 1 || ++frames > EDG_MAX_FRAMES)
            return 0;
        at = (uint8_t)(at + 1 + len);
    }
    return frames > 0;
}

/* A number of 1, 2 or 4 bytes with its sign bit turned over if it is signed, so that unsigned comparison orders it. */
static uint32_t number(const uint8_t *p, uint8_t width, uint8_t format, uint8_t little_endian)
{
    uint32_t v = 0;
    uint8_t i;

    for (i = 0; i < width; i++)
        v = (v << 8) | p[little_endian ? width - 1 - i : i];
    return format & SIGNED ? v ^ ((uint32_t)0x80 << (8 * (width - 1))) : v;
}

static uint8_t bound(const edg_request *r, const uint8_t *v, uint8_t n)
{
    uint8_t format, width;
    uint32_t min, max, field;

    if (n < 2)
        return BROKEN;
    format = v[1];
    if ((format & RESERVED_FORMAT) || (format & WIDTH) == 3)
        return BROKEN;
    width = (uint8_t)(1u << (format & WIDTH));
    if (n != 2 + 2 * width)
        return BROKEN;
    min = number(v + 2, width, format, 0);
    max = number(v + 2 + width, width, format, 0);
    if (min > max)
        return BROKEN;
    if (!(r->op & (EDG_APPEND | EDG_CALL)) || (uint16_t)(v[0] + width) > r->m.payload_len)
        return FAILS;
    field = number(r->m.payload + v[0], width, format, format & LITTLE_ENDIAN_FIELD);
    return field >= min && field <= max ? HOLDS : FAILS;
}

/* Only a read with s names entries: s .. s + n - 1, n = 255 where it is absent. */
static uint8_t entries(const edg_request *r, const uint8_t *v, uint8_t n)
{
    uint32_t from, to, last;

    if (n != 8)
        return BROKEN;
    from = edg_load32(v);
    to = edg_load32(v + 4);
    if (from > to)
        return BROKEN;
    if (!(r->op & (EDG_READ | EDG_OBSERVE)) || !(r->query & EDG_Q_FROM))
        return FAILS;
    last = r->from + (r->query & EDG_Q_COUNT ? r->count : 255u) - 1u;
    if (last < r->from)
        last = 0xFFFFFFFFUL;
    return r->from >= from && last <= to ? HOLDS : FAILS;
}

/* One constraint that is no grant. */
static uint8_t limit(const edg_device *dev, const edg_request *r, uint8_t type, const uint8_t *v, uint8_t n, uint32_t now)
{
    uint32_t unix_now;

    switch (type) {
    case T_BOUND:
        return bound(r, v, n);
    case T_SEQ:
        return entries(r, v, n);
    case T_EXPIRY:
    case T_NOT_BEFORE:
        if (n != 4)
            return BROKEN;
        unix_now = edg_clock_at(dev, now);
        if (unix_now == 0)
            return FAILS_NO_CLOCK;
        return (unix_now < edg_load32(v)) == (type == T_EXPIRY) ? HOLDS : FAILS;
    case T_LEASE:
        if (n != 8)
            return BROKEN;
        return edg_load32(v) == dev->boot && now <= edg_load32(v + 4) ? HOLDS : FAILS;
    case T_HOLD:
        if (n != 1)
            return BROKEN;
        return r->hold <= v[0] ? HOLDS : FAILS;
    case T_SALT:
        return n == 4 ? HOLDS : BROKEN;
    default:
        return BROKEN; /* unknown */
    }
}

static int named(const edg_request *r, uint8_t type, const uint8_t *name, uint8_t n)
{
    if (n > r->name_len || (type == T_GRANT && n != r->name_len))
        return 0;
    return n == 0 || memcmp(name, r->name, n) == 0;
}

/* One frame: a reason, and the type that decided. */
static uint8_t frame(const edg_device *dev, const edg_request *r, const uint8_t *f, uint8_t len, uint32_t now, uint8_t *type)
{
    uint8_t grants = 0;   /* a grant has come */
    uint8_t matches = 0;  /* the grant we are in has this operation and name */
    uint8_t holds = 0;    /* and every part of it so far holds */
    uint8_t admitted = 0; /* a grant before it admits */
    uint8_t failed = T_GRANT;
    const uint8_t *end = f + len;

    while (f < end) {
        uint8_t n = *f & 7;
        uint8_t verdict;

        *type = *f++ >> 3;
        if (n == 7) {
            if (f == end || *f < 7)
                return EDG_R_DENIED;
            n = *f++;
        }
        if (n > end - f)
            return EDG_R_DENIED;
        if (*type == T_GRANT || *type == T_GRANT_PREFIX) {
            if (n < 1 || n > 1 + MAX_NAME || (f[0] & RESERVED_OPS))
                return EDG_R_DENIED;
            admitted |= (uint8_t)(matches & holds);
            grants = 1;
            holds = 1;
            matches = (f[0] & r->op) && named(r, *type, f + 1, (uint8_t)(n - 1));
        } else {
            if (grants && *type != T_BOUND && *type != T_SEQ)
                return EDG_R_DENIED;
            verdict = limit(dev, r, *type, f, n, now);
            if (verdict == BROKEN || (verdict != HOLDS && !grants))
                return verdict == FAILS_NO_CLOCK ? EDG_R_DENIED_NO_CLOCK : EDG_R_DENIED;
            if (verdict != HOLDS && matches) {
                holds = 0;
                failed = *type;
            }
        }
        f += n;
    }
    *type = failed;
    return !grants || admitted || (matches && holds) ? 0 : EDG_R_DENIED;
}

uint8_t edg_frames_hold(const edg_device *dev, edg_request *r, const uint8_t *carried, uint8_t n, uint32_t now)
{
    uint8_t at = EDG_HEADER;

    r->frame = 0;
    while (at < n) {
        uint8_t len = carried[at++];
        uint8_t reason;

        r->frame++;
        reason = frame(dev, r, carried + at, len, now, &r->type);
        if (reason != 0)
            return reason;
        at = (uint8_t)(at + len);
    }
    return 0;
}
