#include "edg_int.h"

#if EDG_PROGRAM

/* docs/spec/program.md, Validation: the algorithm of the WebAssembly core specification 1.0, appendix, for one value type, so
 * that heights stand for the operand stack. */

enum { LOOP = 1, OPEN_IF = 2, RESULT = 4, DEAD = 8 }; /* OPEN_IF: no else has come; DEAD: nothing gets here any more */

typedef struct checker {
    const uint8_t *p, *end;
    uint8_t locals; /* parameters included */
    uint8_t height; /* of the operand stack */
    uint8_t blocks;
    uint8_t bad;
    struct {
        uint8_t kind, base;
    } block[EDG_PROGRAM_BLOCKS];
} checker;

uint32_t edg_program_value(const uint8_t *from, const uint8_t *to, uint8_t is_signed)
{
    uint32_t v = is_signed && (to[-1] & 0x40) ? 0xFFFFFFFFUL : 0;

    while (to != from)
        v = (v << 7) | (*--to & 0x7Fu);
    return v;
}

static void must(checker *c, int good)
{
    if (!good)
        c->bad = 1;
}

/* A LEB128 of 32 bits: at most 5 bytes, the bits of the last that are not used all 0, or as the sign. */
static uint32_t number(checker *c, uint8_t is_signed)
{
    const uint8_t *from = c->p;
    uint8_t last, unused;

    do {
        if (c->p == c->end || c->p - from == 5) {
            c->bad = 1;
            return 0;
        }
        last = *c->p++;
    } while (last & 0x80);
    unused = (uint8_t)(last & (is_signed ? 0x78 : 0x70));
    if (c->p - from == 5 && unused != 0 && !(is_signed && unused == 0x78))
        c->bad = 1;
    return edg_program_value(from, c->p, is_signed);
}

static void pop(checker *c, uint8_t n)
{
    uint8_t top = (uint8_t)(c->blocks - 1);

    for (; n > 0; n--) {
        if (c->height > c->block[top].base)
            c->height--;
        else if (!(c->block[top].kind & DEAD))
            c->bad = 1;
    }
}

static void push(checker *c, uint8_t n)
{
    c->height = (uint8_t)(c->height + n);
    must(c, c->height <= EDG_PROGRAM_STACK);
}

/* What follows is not reached: there, anything may be popped. */
static void dead(checker *c)
{
    c->height = c->block[c->blocks - 1].base;
    c->block[c->blocks - 1].kind |= DEAD;
}

static void enter(checker *c, uint8_t kind)
{
    if (c->blocks == EDG_PROGRAM_BLOCKS) {
        c->bad = 1;
        return;
    }
    c->block[c->blocks].kind = kind;
    c->block[c->blocks].base = c->height;
    c->blocks++;
}

/* The innermost block's code ends here, with its results and nothing else; returns its kind. */
static uint8_t leave(checker *c)
{
    uint8_t kind = c->block[c->blocks - 1].kind;

    pop(c, (kind & RESULT) != 0);
    must(c, c->height == c->block[c->blocks - 1].base);
    c->blocks--;
    return kind;
}

static void block(checker *c, uint8_t op)
{
    uint8_t kind = op == EDG_WASM_LOOP ? LOOP : op == EDG_WASM_IF ? OPEN_IF : 0;
    uint8_t type = 0;

    if (c->p < c->end)
        type = *c->p++;
    if (type == EDG_WASM_I32)
        kind |= RESULT;
    else
        must(c, type == EDG_WASM_EMPTY);
    pop(c, op == EDG_WASM_IF);
    enter(c, kind);
}

static void branch(checker *c, uint8_t op)
{
    uint32_t label = number(c, 0);
    uint8_t kind, n;

    if (label >= c->blocks) {
        c->bad = 1;
        return;
    }
    kind = c->block[c->blocks - 1 - (uint8_t)label].kind;
    n = (kind & (LOOP | RESULT)) == RESULT; /* a branch to a loop goes to its start, with nothing */
    pop(c, op == EDG_WASM_BR_IF);
    pop(c, n);
    if (op == EDG_WASM_BR_IF)
        push(c, n);
    else
        dead(c);
}

/* What only takes operands and gives one. */
static void plain(checker *c, uint8_t op)
{
    uint8_t pops = 1, pushes = 1, width; /* of a load, as a power of 2, as alignment is */

    switch (op) {
    case EDG_WASM_DROP:
        pushes = 0;
        break;
    case EDG_WASM_SELECT:
        pops = 3;
        break;
    case EDG_WASM_LOCAL_GET:
        pops = 0;
        must(c, number(c, 0) < c->locals);
        break;
    case EDG_WASM_LOCAL_SET:
        pushes = 0;
        must(c, number(c, 0) < c->locals);
        break;
    case EDG_WASM_LOCAL_TEE:
        must(c, number(c, 0) < c->locals);
        break;
    case EDG_WASM_LOAD:
    case EDG_WASM_LOAD8_S:
    case EDG_WASM_LOAD8_U:
    case EDG_WASM_LOAD16_S:
    case EDG_WASM_LOAD16_U:
        width = op == EDG_WASM_LOAD ? 2 : op >= EDG_WASM_LOAD16_S;
        must(c, number(c, 0) <= width);
        (void)number(c, 0);
        break;
    case EDG_WASM_CONST:
        pops = 0;
        (void)number(c, 1);
        break;
    case EDG_WASM_EQZ:
    case EDG_WASM_CLZ:
    case EDG_WASM_CTZ:
    case EDG_WASM_POPCNT:
        break;
    default:
        pops = 2;
        must(c, (op >= EDG_WASM_EQ && op <= EDG_WASM_GE_U) || (op >= EDG_WASM_ADD && op <= EDG_WASM_ROTR));
        break;
    }
    pop(c, pops);
    push(c, pushes);
}

static void instruction(checker *c)
{
    uint8_t op = *c->p++;
    uint8_t kind;

    switch (op) {
    case EDG_WASM_UNREACHABLE:
        dead(c);
        break;
    case EDG_WASM_NOP:
        break;
    case EDG_WASM_BLOCK:
    case EDG_WASM_LOOP:
    case EDG_WASM_IF:
        block(c, op);
        break;
    case EDG_WASM_ELSE:
        kind = leave(c);
        must(c, kind & OPEN_IF);
        enter(c, kind & RESULT);
        break;
    case EDG_WASM_END:
        kind = leave(c);
        must(c, !(kind & OPEN_IF) || !(kind & RESULT));
        push(c, (kind & RESULT) != 0);
        break;
    case EDG_WASM_BR:
    case EDG_WASM_BR_IF:
        branch(c, op);
        break;
    case EDG_WASM_RETURN:
        pop(c, 1);
        dead(c);
        break;
    default:
        plain(c, op);
        break;
    }
}

uint8_t edg_program_check(const uint8_t *body, uint8_t n)
{
    checker c;

    memset(&c, 0, sizeof c);
    c.p = body;
    c.end = body + n;
    c.locals = EDG_PARAMS;
    if (n >= 1 && body[0] == 0) {
        c.p += 1;
    } else if (n >= 3 && body[0] == 1 && body[1] >= 1 && body[1] <= EDG_PROGRAM_LOCALS && body[2] == EDG_WASM_I32) {
        c.p += 3;
        c.locals = (uint8_t)(c.locals + body[1]);
    } else {
        return 0;
    }
    enter(&c, RESULT);
    while (c.blocks > 0) {
        if (c.bad || c.p == c.end)
            return 0;
        instruction(&c);
    }
    return !c.bad && c.p == c.end;
}

#endif
