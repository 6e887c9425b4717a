#include "edg_int.h"

/* docs/spec/capability.md, Frames: judged in place, in one pass. */

enum {
    T_BOUND = 3,
    T_SEQ = 4,
    T_EXPIRY = 5,
    T_NOT_BEFORE = 6,
    T_LEASE = 7,
    T_HOLD = 8,
    T_SALT = 9,
    T_AUDIENCE = 12,
    T_DEPTH = 13,
    T_PROGRAM = 15,
    T_ALSO = 16
};

enum { RESERVED_OPS = 0xC0, MAX_NAME = 31, MAX_BRANCH = 15, MIN_PROGRAM = 2 };
enum { WIDTH = 3, SIGNED = EDG_ARG_I8, LITTLE_ENDIAN_FIELD = 8, RESERVED_FORMAT = 0xF0 };

/* What a constraint says of the request. */
enum { HOLDS, FAILS, CANNOT_TELL, BROKEN };

/* What is judged. */
typedef struct judged {
    edg_device *dev;
    const edg_request *r;
    const edg_slot *s;
    const uint8_t *body;
    uint8_t body_len;
    uint8_t discharge; /* the frame in hand is one */
    uint8_t once;      /* of COUNT, RATE and THIRD-PARTY, those that the frame has had: bits of their types above 10 */
    edg_item item; /* the frame in hand */
} judged;

int8_t edg_constraint_next(edg_constraint *t)
{
    if (t->at == t->end)
        return 0;
    t->type = *t->at >> 3;
    t->n = *t->at++ & 7;
    if (t->n == 7) {
        if (t->at == t->end || *t->at < 7)
            return -1;
        t->n = *t->at++;
    }
    if (t->n > t->end - t->at)
        return -1;
    t->v = t->at;
    t->at += t->n;
    return 1;
}

uint32_t edg_number(const uint8_t *p, uint8_t format)
{
    uint8_t i, width = edg_width(format), first = (uint8_t)(format & LITTLE_ENDIAN_FIELD ? width - 1 : 0);
    uint32_t v = (format & SIGNED) && (p[first] & 0x80) ? 0xFFFFFFFFUL : 0;

    for (i = 0; i < width; i++)
        v = (v << 8) | p[i ^ first];
    return format & SIGNED ? v ^ EDG_SIGN : v;
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
    width = edg_width(format);
    if (n != 2 + 2 * width)
        return BROKEN;
    min = edg_number(v + 2, format & (WIDTH | SIGNED));
    max = edg_number(v + 2 + width, format & (WIDTH | SIGNED));
    if (min > max)
        return BROKEN;
    if (!(r->op & (EDG_APPEND | EDG_CALL)) || (uint16_t)(v[0] + width) > r->m.payload_len)
        return FAILS;
    field = edg_number(r->m.payload + v[0], format);
    return field >= min && field <= max ? HOLDS : FAILS;
}

/* Only a read with s names entries: s .. s + n - 1, n = 255 where it is absent. */
static uint32_t last_entry(const edg_request *r)
{
    uint32_t last = r->from + (r->query & EDG_Q_COUNT ? r->count : 255u) - 1u;

    return last < r->from ? 0xFFFFFFFFUL : last;
}

static uint8_t entries(const edg_request *r, const uint8_t *v)
{
    uint32_t from, to;

    from = edg_load32(v);
    to = edg_load32(v + 4);
    if (from > to)
        return BROKEN;
    if (!(r->op & (EDG_READ | EDG_OBSERVE)) || !(r->query & EDG_Q_FROM))
        return FAILS;
    return r->from >= from && last_entry(r) <= to ? HOLDS : FAILS;
}

/* What follows the frame in hand in its capability: how many frames, or discharges of it. */
static uint8_t following(const judged *j, uint8_t what)
{
    edg_item i = j->item;
    uint8_t kind, n = 0;

    while ((kind = edg_item_next(&i)) != EDG_ITEM_END && kind != EDG_ITEM_PART)
        if (kind == what && (what == EDG_ITEM_FRAME || i.frame == j->item.frame))
            n++;
    return n;
}

static uint8_t place(const judged *j) { return (uint8_t)(j->item.part * EDG_MAX_FRAMES + j->item.frame); }

static uint8_t counted(const judged *j, const uint8_t *v)
{
    int count;

    if (v[0] == 0 || v[1] >= EDG_CELLS)
        return BROKEN;
    count = j->s->places[v[1]] == place(j) ? edg_count_get(j->dev, v[1]) : -1;
    return count < 0 ? CANNOT_TELL : count < v[0] ? HOLDS : FAILS;
}

static uint8_t rated(const judged *j, const uint8_t *v)
{
    uint16_t period = edg_load16(v + 1);
    uint8_t i;

    if (v[0] == 0 || period == 0)
        return BROKEN;
    for (i = 0; i < EDG_BUCKETS; i++)
        if (j->s->places[EDG_CELLS + i] == place(j))
            return edg_bucket_tokens(j->dev, &j->dev->buckets[i], v[0], period) > 0 ? HOLDS : FAILS;
    return CANNOT_TELL;
}

#if EDG_PROGRAM
typedef char input_fits[sizeof(edg_program_input) + sizeof(uint32_t) <= EDG_OUT_MIN ? 1 : -1];

static uint8_t program(const judged *j, const uint8_t *v, uint8_t n)
{
    const edg_request *r = j->r;
    /* Where the answer will be and not on the stack, which the interpreter needs. */
    edg_program_input *in = (edg_program_input *)(void *)(r->scratch + (0 - (uintptr_t)r->scratch) % sizeof in->local[0]);

    memset(in->local, 0, sizeof in->local);
    in->name = r->name;
    in->name_len = r->name_len;
    in->payload = r->m.payload;
    in->payload_len = r->m.payload_len;
    in->local[EDG_PARAM_OP] = r->op;
    if ((r->op & (EDG_READ | EDG_OBSERVE)) && (r->query & EDG_Q_FROM)) {
        in->local[EDG_PARAM_FIRST] = r->from;
        in->local[EDG_PARAM_LAST] = last_entry(r);
    }
    in->local[EDG_PARAM_HOLD] = r->hold;
    in->local[EDG_PARAM_UNIX] = edg_clock_at(j->dev, edg_now(j->dev));
    in->local[EDG_PARAM_TICK] = edg_now(j->dev);
    switch (edg_program_run(v, n, in)) {
    case EDG_PROGRAM_HOLDS:
        return HOLDS;
    case EDG_PROGRAM_FAILS:
        return FAILS;
    default:
        return BROKEN;
    }
}
#else
static uint8_t program(const judged *j, const uint8_t *v, uint8_t n)
{
    (void)j;
    (void)v;
    (void)n;
    return CANNOT_TELL;
}
#endif

/* Bytes of each type's value; 0xFF: other than one length. */
enum { ANY = 0xFF };
static const uint8_t lengths[] EDG_PGM = {
    [T_BOUND] = ANY, [T_SEQ] = 8,    [T_EXPIRY] = 4,     [T_NOT_BEFORE] = 4, [T_LEASE] = 8,  [T_HOLD] = 1,
    [T_SALT] = 4,    [EDG_T_COUNT] = 2, [EDG_T_RATE] = 3, [T_AUDIENCE] = 32,  [T_DEPTH] = 1, [EDG_T_THIRD_PARTY] = 44,
    [T_PROGRAM] = ANY, [T_ALSO] = ANY,
};

/* One constraint that is no grant. */
static uint8_t limit(judged *j, uint8_t type, const uint8_t *v, uint8_t n)
{
    uint32_t unix_now;
    uint8_t len;

    if (type < T_BOUND || type >= sizeof lengths)
        return BROKEN;
    len = edg_pgm_u8(&lengths[type]);
    if (len != ANY && len != n)
        return BROKEN;
    if (type == EDG_T_COUNT || type == EDG_T_RATE || type == EDG_T_THIRD_PARTY) {
        uint8_t bit = (uint8_t)(1u << (type - EDG_T_COUNT));

        if (j->discharge || (j->once & bit))
            return BROKEN;
        j->once |= bit;
    }
    switch (type) {
    case T_BOUND:
        return bound(j->r, v, n);
    case T_SEQ:
        return entries(j->r, v);
    case T_EXPIRY:
    case T_NOT_BEFORE:
        unix_now = edg_clock_at(j->dev, edg_now(j->dev));
        if (unix_now == 0)
            return CANNOT_TELL;
        return (unix_now < edg_load32(v)) == (type == T_EXPIRY) ? HOLDS : FAILS;
    case T_LEASE:
        return edg_load32(v) == j->dev->boot && edg_now(j->dev) <= edg_load32(v + 4) ? HOLDS : FAILS;
    case T_HOLD:
        return j->r->hold <= v[0] ? HOLDS : FAILS;
    case EDG_T_COUNT:
        return counted(j, v);
    case EDG_T_RATE:
        return rated(j, v);
    case T_AUDIENCE:
        return CANNOT_TELL; /* who sent it is not known here */
    case T_DEPTH:
        return j->discharge || following(j, EDG_ITEM_FRAME) <= v[0] ? HOLDS : FAILS;
    case EDG_T_THIRD_PARTY:
        return following(j, EDG_ITEM_DISCHARGE) > 0 ? HOLDS : FAILS; /* which was checked when the session was opened */
    case T_PROGRAM:
        return n < MIN_PROGRAM ? BROKEN : program(j, v, n);
    case T_ALSO:
        if ((n != 1 && n != 5) || v[0] > MAX_BRANCH)
            return BROKEN;
        return edg_part_has(j->s->first, j->body, j->body_len, j->item.part, v[0], n == 5 ? v + 1 : NULL) ? HOLDS : FAILS;
    default:
        return HOLDS; /* SALT */
    }
}

static int8_t named(const edg_request *r, uint8_t type, const uint8_t *name, uint8_t n)
{
    if (n > r->name_len || (type == EDG_T_GRANT && n != r->name_len))
        return 0;
    return edg_same(name, r->name, n);
}

/* One frame: a reason, and the type that decided. */
static uint8_t frame(judged *j, uint8_t *type)
{
    uint8_t grants = 0;   /* a grant has come */
    uint8_t matches = 0;  /* the grant we are in has this operation and name */
    uint8_t holds = 0;    /* and every part of it so far holds */
    uint8_t admitted = 0; /* a grant before it admits */
    uint8_t failed = EDG_T_GRANT;
    edg_constraint t;
    int8_t more;

    t.at = j->item.value;
    t.end = t.at + j->item.len;
    t.type = 0;
    j->once = 0;
    while ((more = edg_constraint_next(&t)) != 0) {
        uint8_t verdict;

        *type = t.type;
        if (more < 0)
            return EDG_R_DENIED;
        if (t.type == EDG_T_GRANT || t.type == EDG_T_GRANT_PREFIX) {
            if (t.n < 1 || t.n > 1 + MAX_NAME || (t.v[0] & RESERVED_OPS))
                return EDG_R_DENIED;
            admitted |= (uint8_t)(matches & holds);
            grants = 1;
            holds = 1;
            matches = (t.v[0] & j->r->op) && named(j->r, t.type, t.v + 1, (uint8_t)(t.n - 1));
            continue;
        }
        if (grants && t.type != T_BOUND && t.type != T_SEQ)
            return EDG_R_DENIED;
        verdict = limit(j, t.type, t.v, t.n);
        if (verdict == BROKEN || (verdict != HOLDS && !grants))
            return verdict == CANNOT_TELL ? EDG_R_DENIED_NO_CLOCK : EDG_R_DENIED;
        if (verdict != HOLDS && matches) {
            holds = 0;
            failed = t.type;
        }
    }
    *type = failed;
    return !grants || admitted || (matches && holds) ? 0 : EDG_R_DENIED;
}

/* All frames hold: their counts are raised, then their tokens taken. */
static uint8_t take(edg_device *dev, const edg_slot *s)
{
    uint8_t i;

    for (i = 0; i < EDG_CELLS; i++)
        if (s->places[i] != 0 && edg_count_raise(dev, i) != EDG_OK)
            return EDG_R_STORAGE;
    for (i = 0; i < EDG_BUCKETS; i++)
        if (s->places[EDG_CELLS + i] != 0) {
            dev->buckets[i].tokens--;
            edg_bucket_use(dev, &dev->buckets[i]);
        }
    return 0;
}

uint8_t edg_frames_hold(edg_device *dev, edg_request *r, const edg_slot *s, const uint8_t *body, uint8_t n)
{
    judged j;
    uint8_t kind, reason;

    j.dev = dev;
    j.r = r;
    j.s = s;
    j.body = body;
    j.body_len = n;
    edg_item_first(&j.item, body, n);
    while ((kind = edg_item_next(&j.item)) != EDG_ITEM_END) {
        if (kind == EDG_ITEM_PART)
            continue;
        j.discharge = kind == EDG_ITEM_DISCHARGE;
        r->frame = (uint8_t)(j.item.part * 32 + (j.discharge ? 16 : 0) + j.item.frame);
        reason = frame(&j, &r->type);
        if (reason != 0)
            return reason;
    }
    return take(dev, s);
}
