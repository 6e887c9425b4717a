#include "edg_int.h"

/* docs/spec/capability.md, Reading a request. Nothing here needs a key. */

enum { MAX_OPTIONS = 32, MAX_SEGMENTS = 3, MAX_QUERIES = 4, MAX_NAME = 31 };

typedef struct path {
    const uint8_t *value[2];
    uint8_t len[2];
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
    uint32_t v;

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
        if (p->n < 2) {
            p->value[p->n] = o->value;
            p->len[p->n] = (uint8_t)o->len;
        }
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
        v = edg_option_uint(o);
        r->block2 = v > EDG_NO_BLOCK ? EDG_NO_BLOCK : (uint16_t)v;
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

    p->n = 0;
    p->queries = 0;
    p->proof_len = 0;
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

/* Reads 1 to 10 digits without leading zeros; advances *p; 1, or 0 if there is no such number of 32 bits. */
static int8_t decimal(const uint8_t **p, const uint8_t *end, uint32_t *value)
{
    const uint8_t *start = *p;
    uint32_t v = 0;

    while (*p < end && **p >= '0' && **p <= '9') {
        uint8_t digit = (uint8_t)(**p - '0');

        if (v > 429496729UL || (v == 429496729UL && digit > 5))
            return 0;
        v = v * 10 + digit;
        (*p)++;
    }
    *value = v;
    return *p > start && (*start != '0' || *p == start + 1);
}

static int8_t query(edg_request *r, const uint8_t *p, const uint8_t *end)
{
    uint8_t key = *p;
    uint8_t bit = key == 's' ? EDG_Q_FROM : key == 'n' ? EDG_Q_COUNT : key == 'a' ? EDG_Q_AFTER : key == 'i' ? EDG_Q_INCARNATION : 0;
    uint32_t v = 0;

    if (bit == 0 || (r->query & bit))
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

static uint8_t place(const path *p)
{
    if (p->n == 1 && p->len[0] == 1) {
        switch (p->value[0][0]) {
        case 'h':
            return EDG_AT_HELLO;
        case 'k':
            return EDG_AT_CLAIM;
        case 't':
            return EDG_AT_TIME;
        case 'g':
            return EDG_AT_GENERATION;
        case 'e':
            return EDG_AT_EPOCH;
        case 'n':
            return EDG_AT_COUNT;
        default:
            return EDG_AT_NOTHING;
        }
    }
    if (p->n != 2)
        return EDG_AT_NOTHING;
    if (p->len[0] == 1 && name_good(p->value[1], p->len[1]))
        return p->value[0][0] == 'l' ? EDG_AT_LOG : p->value[0][0] == 'f' ? EDG_AT_FUNCTION : EDG_AT_NOTHING;
    return is(p->value[0], p->len[0], well_known) && is(p->value[1], p->len[1], core) ? EDG_AT_CORE : EDG_AT_NOTHING;
}

/* What the request would do, or why it would do nothing (r->target). */
static void read_target(edg_request *r, const path *p)
{
    r->at = place(p);
    r->target = r->at == EDG_AT_NOTHING ? EDG_R_NOT_FOUND : 0;
    if (r->at == EDG_AT_LOG || r->at == EDG_AT_FUNCTION) {
        r->name = p->value[1];
        r->name_len = p->len[1];
    }
    if (r->m.code == EDG_GET && r->at == EDG_AT_LOG)
        r->op = r->has & EDG_HAS_OBSERVE ? EDG_OBSERVE : EDG_READ;
    else if (r->at != EDG_AT_NOTHING && r->m.code != (r->at == EDG_AT_CORE ? EDG_GET : EDG_POST))
        r->target = EDG_R_METHOD;
    else if (r->at == EDG_AT_LOG)
        r->op = EDG_APPEND;
    else if (r->at == EDG_AT_FUNCTION)
        r->op = EDG_CALL;
    else if (r->at == EDG_AT_TIME)
        r->op = EDG_TIME;
    else if (r->at == EDG_AT_GENERATION || r->at == EDG_AT_EPOCH || r->at == EDG_AT_COUNT)
        r->op = EDG_MANAGE;
    if (r->proof != NULL && (r->at == EDG_AT_CORE || r->at == EDG_AT_HELLO || r->at == EDG_AT_CLAIM))
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
