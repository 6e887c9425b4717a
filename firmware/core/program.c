#include "edg_int.h"

#if EDG_PROGRAM

/* docs/spec/program.md: judges in place, without tables. Validation has bounded everything that is not bounded here: heights,
 * nesting, indices, and that code does not end without its end. */

enum { NAME_ROOM = 32 };

/* Inlined into what calls them, these two cost 300 bytes more on the AVR. */
#define NOINLINE __attribute__((noinline))

static uint8_t memory_at(const edg_program_input *in, uint16_t i)
{
    if (i < NAME_ROOM)
        return i < in->name_len ? in->name[i] : 0;
    i = (uint16_t)(i - NAME_ROOM);
    return i < in->payload_len ? in->payload[i] : 0;
}

/* The address in *a gives way to what stands there; 0: a trap. */
static uint8_t load(const edg_program_input *in, uint8_t op, uint32_t *a, uint32_t offset)
{
    uint8_t width = op == EDG_WASM_LOAD ? 4 : op >= EDG_WASM_LOAD16_S ? 2 : 1;
    uint32_t at = *a + offset, v = 0, sign = 0x80;
    uint8_t i;

    if (at < offset || at > 0x10000UL - width)
        return 0;
    for (i = width; i > 0; i--)
        v = (v << 8) | memory_at(in, (uint16_t)(at + i - 1u));
    if (op >= EDG_WASM_LOAD8_S && !(op & 1)) {
        if (width == 2)
            sign <<= 8;
        v = (v ^ sign) - sign;
    }
    *a = v;
    return 1;
}

static uint8_t compare(uint8_t op, uint32_t a, uint32_t b)
{
    uint8_t how = (uint8_t)((op - EDG_WASM_EQ) >> 1); /* 0 eq, ne; then lt, gt, le, ge, each signed (even) and unsigned */
    uint8_t holds;

    if (how == 0)
        return (a != b) == (op & 1);
    if (!(op & 1)) {
        a ^= 0x80000000UL;
        b ^= 0x80000000UL;
    }
    holds = how == 1 || how == 4 ? a < b : a <= b;
    return how == 2 || how == 4 ? !holds : holds; /* gt is not le, ge is not lt */
}

/* Of magnitudes; *a gives way to the result; 0: a trap. */
static uint8_t divide(uint8_t op, uint32_t *a, uint32_t b)
{
    uint32_t v = *a;
    uint8_t minus = 0; /* of the result */

    if (op & 1) { /* signed */
        minus = (uint8_t)(v >> 31);
        if (minus)
            v = 0 - v;
        if (b >> 31) {
            b = 0 - b;
            if (op == EDG_WASM_DIV_S) /* a remainder has the sign of the dividend */
                minus = !minus;
        }
    }
    if (b == 0)
        return 0;
    if (op >= EDG_WASM_REM_S)
        v %= b;
    else
        v /= b;
    if (op == EDG_WASM_DIV_S && !minus && v >> 31)
        return 0; /* 2^31 */
    *a = minus ? 0 - v : v;
    return 1;
}

static uint32_t shift(uint8_t op, uint32_t a, uint8_t n)
{
    uint8_t left = op == EDG_WASM_SHL || op == EDG_WASM_ROTL;

    for (n &= 31; n > 0; n--) {
        uint8_t first = (uint8_t)(a >> 31), last = a & 1;

        a = left ? a << 1 : a >> 1;
        if (op == EDG_WASM_ROTL && first)
            a |= 1;
        if ((op == EDG_WASM_ROTR && last) || (op == EDG_WASM_SHR_S && first))
            a |= 0x80000000UL;
    }
    return a;
}

static uint32_t count(uint8_t op, uint32_t a)
{
    uint8_t n = 0, i;

    for (i = 0; i < 32; i++) {
        uint8_t bit = (uint8_t)(op == EDG_WASM_CLZ ? a >> 31 : a & 1);

        if (op != EDG_WASM_POPCNT && bit)
            break;
        if (op != EDG_WASM_POPCNT || bit)
            n++;
        a = op == EDG_WASM_CLZ ? a << 1 : a >> 1;
    }
    return n;
}

/* a[0] = a[0] op a[1]; 0: a trap. */
NOINLINE static uint8_t binary(uint8_t op, uint32_t *a)
{
    uint32_t x = a[0], y = a[1];

    switch (op) {
    case EDG_WASM_ADD:
        x += y;
        break;
    case EDG_WASM_SUB:
        x -= y;
        break;
    case EDG_WASM_MUL:
        x *= y;
        break;
    case EDG_WASM_DIV_S:
    case EDG_WASM_DIV_U:
    case EDG_WASM_REM_S:
    case EDG_WASM_REM_U:
        return divide(op, a, y);
    case EDG_WASM_AND:
        x &= y;
        break;
    case EDG_WASM_OR:
        x |= y;
        break;
    case EDG_WASM_XOR:
        x ^= y;
        break;
    default:
        x = op >= EDG_WASM_SHL ? shift(op, x, (uint8_t)y) : compare(op, x, y);
        break;
    }
    a[0] = x;
    return 1;
}

/* How many numbers follow an opcode; the type of a block passes for one. */
static uint8_t numbers(uint8_t op)
{
    if (op >= EDG_WASM_LOAD && op <= EDG_WASM_LOAD16_U)
        return 2;
    return (op >= EDG_WASM_LOCAL_GET && op <= EDG_WASM_CONST) || (op >= EDG_WASM_BR && op <= EDG_WASM_BR_IF) ||
           (op >= EDG_WASM_BLOCK && op <= EDG_WASM_IF);
}

static const uint8_t *behind(const uint8_t *number)
{
    while (*number++ & 0x80) {
    }
    return number;
}

/* Forward to the end of the block that is `nested` further out than the one p is in, or to its else. */
static const uint8_t *skip(const uint8_t *p, uint8_t nested, uint8_t to_else)
{
    for (;;) {
        uint8_t op = *p, i;

        if (op == EDG_WASM_END) {
            if (nested-- == 0)
                return p;
        } else if (op == EDG_WASM_ELSE) {
            if (nested == 0 && to_else)
                return p;
        } else if (op >= EDG_WASM_BLOCK && op <= EDG_WASM_IF) {
            nested++;
        }
        p++;
        for (i = numbers(op); i > 0; i--)
            p = behind(p);
    }
}

/* 1: the result is not 0; 0: it is, or there is none. */
static uint8_t run(const uint8_t *body, edg_program_input *in)
{
    uint32_t operand[EDG_PROGRAM_STACK], *top = operand; /* the next free one */
    const uint8_t *p = body + (body[0] == 0 ? 1 : 3);
    uint8_t fuel = EDG_PROGRAM_FUEL, blocks = 0;
    struct {
        uint8_t at, height;
    } block[EDG_PROGRAM_BLOCKS - 1]; /* within the function's own: where their code starts; the operands below theirs */

    for (;;) {
        uint8_t op = *p++;
        uint32_t v = 0, *base; /* the last number behind the opcode: a load's offset, not its alignment */
        uint8_t i;

        if (op != EDG_WASM_END && op != EDG_WASM_ELSE && fuel-- == 0)
            return 0;
        for (i = numbers(op); i > 0; i--) {
            const uint8_t *from = p;

            p = behind(p);
            v = edg_program_value(from, p, op == EDG_WASM_CONST);
        }
        switch (op) {
        case EDG_WASM_UNREACHABLE:
            return 0;
        case EDG_WASM_NOP:
            break;
        case EDG_WASM_BLOCK:
        case EDG_WASM_LOOP:
        case EDG_WASM_IF:
            if (op == EDG_WASM_IF)
                v = *--top;
            block[blocks].at = (uint8_t)(p - body);
            block[blocks].height = (uint8_t)(top - operand);
            blocks++;
            if (op == EDG_WASM_IF && v == 0) {
                p = skip(p, 0, 1);
                p += *p == EDG_WASM_ELSE;
            }
            break;
        case EDG_WASM_ELSE:
            p = skip(p, 0, 0);
            break;
        case EDG_WASM_END:
            if (blocks-- == 0)
                return top[-1] != 0;
            break;
        case EDG_WASM_BR_IF:
        case EDG_WASM_BR:
            if (op == EDG_WASM_BR_IF && *--top == 0)
                break;
            if (v == blocks)
                return top[-1] != 0;
            blocks = (uint8_t)(blocks - v);
            base = operand + block[blocks - 1].height;
            if (body[block[blocks - 1].at - 2] == EDG_WASM_LOOP) {
                p = body + block[blocks - 1].at;
            } else {
                p = skip(p, (uint8_t)v, 0);
                if (body[block[blocks - 1].at - 1] == EDG_WASM_I32)
                    *base++ = top[-1];
            }
            top = base;
            break;
        case EDG_WASM_RETURN:
            return top[-1] != 0;
        case EDG_WASM_DROP:
            top--;
            break;
        case EDG_WASM_SELECT:
            top -= 2;
            if (top[1] == 0)
                top[-1] = top[0];
            break;
        case EDG_WASM_LOCAL_GET:
            *top++ = in->local[v];
            break;
        case EDG_WASM_LOCAL_SET:
            in->local[v] = *--top;
            break;
        case EDG_WASM_LOCAL_TEE:
            in->local[v] = top[-1];
            break;
        case EDG_WASM_LOAD:
        case EDG_WASM_LOAD8_S:
        case EDG_WASM_LOAD8_U:
        case EDG_WASM_LOAD16_S:
        case EDG_WASM_LOAD16_U:
            if (!load(in, op, top - 1, v))
                return 0;
            break;
        case EDG_WASM_CONST:
            *top++ = v;
            break;
        case EDG_WASM_EQZ:
            top[-1] = top[-1] == 0;
            break;
        case EDG_WASM_CLZ:
        case EDG_WASM_CTZ:
        case EDG_WASM_POPCNT:
            top[-1] = count(op, top[-1]);
            break;
        default:
            top--;
            if (!binary(op, top - 1))
                return 0;
            break;
        }
    }
}

NOINLINE uint8_t edg_program_run(const uint8_t *body, uint8_t n, edg_program_input *in)
{
    uint32_t argument = 0;
    uint8_t i;

    if (!edg_program_check(body, n))
        return EDG_PROGRAM_BROKEN;
    for (i = 0; i < 4 && i < in->payload_len; i++)
        argument = (argument << 8) | in->payload[i];
    in->local[EDG_PARAM_ARGUMENT] = argument;
    in->local[EDG_PARAM_PAYLOAD_LEN] = in->payload_len;
    in->local[EDG_PARAM_NAME_LEN] = in->name_len;
    memset(in->local + EDG_PARAMS, 0, sizeof in->local - EDG_PARAMS * sizeof in->local[0]);
    return run(body, in) ? EDG_PROGRAM_HOLDS : EDG_PROGRAM_FAILS;
}

#endif
