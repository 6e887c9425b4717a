#include "edg_int.h"

/* docs/spec/capability.md, Reading a request. Nothing here needs a key. */

enum { MAX_OPTIONS = 32, MAX_SEGMENTS = 3, MAX_QUERIES = 4, MAX_NAME = 31 };

typedef struct path {
    const uint8_t *last, *before; /* segments */
    uint8_t last_len, before_len;
    uint8_t n, queries; /* how many there are; at most 32 */
    uint8_t proof_len;
} path;

/* Where an option stands. */
enum { PLAIN, PROTECTED, INNER };

/* A reason, or 0 if the option may stand there. */
static uint8_t check_option(const edg_request *r, const edg_option *o, uint8_t protect)
{
    uint8_t rules = edg_option_rules(o->number, o->len);
    uint8_t may = protect == PLAIN ? EDG_O_REQUEST | EDG_O_IGNORED | EDG_O_HOST : protect == PROTECTED ? EDG_O_REQUEST | EDG_O_IGNORED : EDG_O_REQUEST;

    if (!(rules & may) || (protect == INNER && (o->number == EDG_OPT_OBSERVE || o->number == EDG_OPT_REQUEST)))
        return protect || (o->number & 1) ? EDG_R_OPTION : 0;
    if ((rules & EDG_O_LENGTH) && (!protect || (rules & EDG_O_REQUEST)))
        return EDG_R_MALFORMED;
    if (o->number == EDG_OPT_OBSERVE) {
        if (r->has & EDG_HAS_OBSERVE)
            return EDG_R_MALFORMED;
        if (o->len > 1 || (o->len == 1 && o->value[0] > 1))
            return EDG_R_OPTION;
    }
    return o->number == EDG_OPT_REQUEST && r->proof != NULL ? EDG_R_MALFORMED : 0;
}

static void note_option(edg_request *r, const edg_option *o, path *p)
{
    switch (o->number) {
    case EDG_OPT_IF_MATCH:
    case EDG_OPT_IF_NONE_MATCH:
    case EDG_OPT_BLOCK1:
        r->has |= EDG_HAS_CONDITION;
        break;
    case EDG_OPT_OBSERVE:
        r->has |= EDG_HAS_OBSERVE;
        break;
    case EDG_OPT_URI_PATH:
        p->before = p->last;
        p->before_len = p->last_len;
        p->last = o->value;
        p->last_len = (uint8_t)o->len;
        p->n++;
        break;
    case EDG_OPT_URI_QUERY:
        p->queries++;
        break;
    case EDG_OPT_ACCEPT:
        r->has |= (uint8_t)(edg_option_uint(o) == 40 ? EDG_HAS_ACCEPT : EDG_HAS_OTHER_ACCEPT);
        break;
    case EDG_OPT_BLOCK2:
        r->has |= EDG_HAS_BLOCK2;
        r->block2 = edg_option_uint(o);
        break;
    case EDG_OPT_REQUEST:
        r->proof = o->value;
        p->proof_len = (uint8_t)o->len;
        break;
    default:
        break;
    }
}

/* In their order, the first wrong one decides. */
static uint8_t read_options(edg_request *r, path *p, uint8_t protect)
{
    edg_option o;

    p->last = p->before = NULL;
    p->last_len = p->before_len = p->n = p->queries = p->proof_len = 0;
    if (r->m.count > MAX_OPTIONS)
        return EDG_R_MALFORMED;
    edg_option_first(&o, r->m.options, r->m.options_len);
    while (edg_option_next(&o) > 0) {
        uint8_t reason = check_option(r, &o, protect);

        if (reason != 0)
            return reason;
        note_option(r, &o, p);
        if (p->n > MAX_SEGMENTS || p->queries > MAX_QUERIES)
            return EDG_R_MALFORMED;
    }
    return 0;
}

/* OPEN             1F FF   | caller nonce (8) | cookie (16) | sequence u32 | hold u8 | u8 n | carried form (n) | tag (16)
 * SESSION          20 slot | sequence u32 | tick u16 | hold u8 | tag (8)
 * SESSION-FRAMES   30 slot | sequence u32 | tick u16 | hold u8 | u8 n | carried form (n) | tag (8) */
static uint8_t read_proof(edg_request *r, uint8_t len)
{
    uint8_t form = r->proof[0] & (uint8_t)~EDG_FORM_PRIVATE, tag_len = 8;
    const uint8_t *at = r->proof + 2, *end = r->proof + len;

    if (form == EDG_FORM_OPEN) {
        tag_len = 16;
        if (r->proof[1] != EDG_NO_SLOT || len < 48)
            return EDG_R_MALFORMED;
        at += EDG_NONCE + EDG_COOKIE;
    } else if (form != EDG_FORM_SESSION && form != EDG_FORM_FRAMES) {
        return EDG_R_MALFORMED;
    }
    r->sequence = edg_load32(at); /* the shortest legal option holds all that every form has */
    at += form == EDG_FORM_OPEN ? 4 : 6;
    r->hold = *at++;
    r->tag = end - tag_len;
    if (r->sequence == 0)
        return EDG_R_MALFORMED;
    if (form == EDG_FORM_SESSION)
        return at == r->tag ? 0 : EDG_R_MALFORMED;
    if (at >= r->tag || *at != r->tag - at - 1)
        return EDG_R_MALFORMED;
    r->carried = at + 1;
    r->carried_len = *at;
    if (!edg_carried_formed(r->carried, r->carried_len))
        return EDG_R_MALFORMED;
    return r->carried_len > EDG_MAX_CARRIED ? EDG_R_TOO_LARGE : 0;
}

/* A letter of flash text, counted from 0; n: it is not among the first n. */
static uint8_t letter(uint8_t c, const char *flash, uint8_t n)
{
    uint8_t i;

    for (i = 0; i < n && edg_pgm_u8(flash + i) != c; i++)
        continue;
    return i;
}

/* Reads 1 to 10 digits without leading zeros; advances *p; 1, or 0 if there is no such number of 32 bits. */
static int8_t decimal(const uint8_t **p, const uint8_t *end, uint32_t *value)
{
    const uint8_t *start = *p;
    uint32_t v = 0;

    while (*p < end && **p >= '0' && **p <= '9') {
        uint32_t more = v * 10 + (uint8_t)(*(*p)++ - '0');

        if (more / 10 != v) /* too large */
            return 0;
        v = more;
    }
    *value = v;
    return *p > start && (*start != '0' || *p == start + 1);
}

static const char query_letters[] EDG_PGM = "snai"; /* the bits EDG_Q_FROM to EDG_Q_INCARNATION */

static int8_t query(edg_request *r, const uint8_t *p, const uint8_t *end)
{
    uint8_t bit = (uint8_t)(1u << letter(*p, query_letters, 4));
    uint32_t v = 0;

    if (bit > EDG_Q_INCARNATION || (r->query & bit))
        return 0;
    r->query |= bit;
    p += 2;
    if (!decimal(&p, end, &v))
        return 0;
    switch (bit) {
    case EDG_Q_FROM:
        r->from = v;
        return p == end && v >= 1;
    case EDG_Q_COUNT:
        r->count = (uint8_t)v;
        return p == end && v >= 1 && v <= 255;
    case EDG_Q_INCARNATION:
        r->incarnation = v;
        return p == end;
    default:
        r->incarnation = v;
        if (p == end || *p++ != '.')
            return 0;
        return decimal(&p, end, &r->from) && p == end;
    }
}

/* s, n, a and i, each at most once and in a GET only; s and a exclude each other, n needs one of them, i needs s. */
static uint8_t read_queries(edg_request *r)
{
    edg_option o;

    edg_option_first(&o, r->m.options, r->m.options_len);
    while (edg_option_next(&o) > 0) {
        if (o.number != EDG_OPT_URI_QUERY)
            continue;
        if (r->m.code != EDG_GET || o.len < 3 || o.value[1] != '=' || !query(r, o.value, o.value + o.len))
            return EDG_R_OPTION;
    }
    if ((r->query & EDG_Q_FROM) ? (r->query & EDG_Q_AFTER) : (r->query & EDG_Q_INCARNATION))
        return EDG_R_OPTION;
    if ((r->query & EDG_Q_COUNT) && !(r->query & (EDG_Q_FROM | EDG_Q_AFTER)))
        return EDG_R_OPTION;
    return 0;
}

static int8_t name_good(const uint8_t *name, uint8_t n)
{
    uint8_t i;

    if (n == 0 || n > MAX_NAME || name[0] == '.')
        return 0;
    for (i = 0; i < n; i++) {
        uint8_t c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return 0;
    }
    return 1;
}

static const char well_known[] EDG_PGM = ".well-known";
static const char core[] EDG_PGM = "core";

static int8_t is(const uint8_t *value, uint8_t len, const char *flash)
{
    uint8_t i;

    for (i = 0; i < len; i++)
        if (edg_pgm_u8(flash + i) == 0 || edg_pgm_u8(flash + i) != value[i])
            return 0;
    return edg_pgm_u8(flash + len) == 0;
}

static const char places[] EDG_PGM = "hklftgen"; /* from EDG_AT_HELLO on */
enum { PLACES = sizeof places - 1 };

static uint8_t place(const path *p)
{
    const uint8_t *first = p->n == 1 ? p->last : p->before;
    uint8_t first_len = p->n == 1 ? p->last_len : p->before_len;
    uint8_t at;

    if (p->n == 0 || p->n > 2)
        return EDG_AT_NOTHING;
    if (p->n == 2 && is(first, first_len, well_known) && is(p->last, p->last_len, core))
        return EDG_AT_CORE;
    at = first_len == 1 ? (uint8_t)(letter(*first, places, PLACES) + EDG_AT_HELLO) : EDG_AT_NOTHING;
    if (at == EDG_AT_LOG || at == EDG_AT_FUNCTION)
        return p->n == 2 && name_good(p->last, p->last_len) ? at : EDG_AT_NOTHING;
    return p->n == 1 && at <= EDG_AT_COUNT ? at : EDG_AT_NOTHING;
}

/* Of each place, what a POST there does. */
static const uint8_t posts[] EDG_PGM = {
    [EDG_AT_LOG] = EDG_APPEND,         [EDG_AT_FUNCTION] = EDG_CALL,  [EDG_AT_TIME] = EDG_TIME,
    [EDG_AT_GENERATION] = EDG_MANAGE, [EDG_AT_EPOCH] = EDG_MANAGE, [EDG_AT_COUNT] = EDG_MANAGE,
};

/* What the request would do, or why it would do nothing (r->target). */
static void read_target(edg_request *r, const path *p)
{
    r->at = place(p);
    r->target = r->at == EDG_AT_NOTHING ? EDG_R_NOT_FOUND : 0;
    if (r->at == EDG_AT_LOG || r->at == EDG_AT_FUNCTION) {
        r->name = p->last;
        r->name_len = p->last_len;
    }
    if (r->m.code == EDG_GET && r->at == EDG_AT_LOG)
        r->op = r->has & EDG_HAS_OBSERVE ? EDG_OBSERVE : EDG_READ;
    else if (r->at != EDG_AT_NOTHING && r->m.code != (r->at == EDG_AT_CORE ? EDG_GET : EDG_POST))
        r->target = EDG_R_METHOD;
    else
        r->op = edg_pgm_u8(posts + r->at);
    if (r->proof != NULL && r->at <= EDG_AT_CLAIM)
        r->target = EDG_R_NOT_FOUND; /* no protected resources */
}

/* What asks for something: queries and target. */
static uint8_t read_wish(edg_request *r, const path *p)
{
    uint8_t reason = p->queries > 0 ? read_queries(r) : 0;

    if (reason == 0)
        read_target(r, p);
    return reason;
}

#if EDG_PRIVACY

/* The outer request says nothing but who asks. */
static uint8_t read_outer(const edg_request *r)
{
    edg_option o;

    edg_option_first(&o, r->m.options, r->m.options_len);
    while (edg_option_next(&o) > 0)
        if (o.number != EDG_OPT_REQUEST && (edg_option_rules(o.number, o.len) & EDG_O_REQUEST))
            return EDG_R_OPTION;
    return r->m.code == EDG_POST ? 0 : EDG_R_MALFORMED;
}

uint8_t edg_request_inner(edg_request *r)
{
    path p;
    uint8_t reason = read_options(r, &p, INNER);

    return reason != 0 ? reason : read_wish(r, &p);
}

#else

static uint8_t read_outer(const edg_request *r)
{
    (void)r;
    return EDG_R_TOO_LARGE;
}

#endif

uint8_t edg_request_read(edg_request *r)
{
    path p;
    uint8_t reason;

    memset((uint8_t *)r + offsetof(edg_request, proof), 0, sizeof *r - offsetof(edg_request, proof));
    reason = read_options(r, &p, r->m.is_protected ? PROTECTED : PLAIN);
    if (reason == 0 && r->proof != NULL)
        reason = read_proof(r, p.proof_len);
    if (reason != 0)
        return reason;
    r->is_private = r->proof != NULL && (r->proof[0] & EDG_FORM_PRIVATE);
    return r->is_private ? read_outer(r) : read_wish(r, &p);
}
