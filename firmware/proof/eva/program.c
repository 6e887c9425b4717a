/* PROGRAM. The validator: every instruction, on any number of bytes left, at every depth of blocks, and of any heights. And what the interpreter computes with.
 * The interpreter's own walk is not here: it rests on what the validator has refused. */
#include "any.h"
#include "../../core/program.c"
#include "../../core/program_check.c"

/* As number_itself is shown to be: it goes on within the body. */
uint32_t number(checker *c, uint8_t is_signed)
{
    uint8_t left = (uint8_t)(c->end - c->p);

    (void)is_signed;
    if (left > 0)
        c->p = c->end - any_u8(0, (uint8_t)(left - 1));
    c->bad = any_u8(0, 1);
    return any_u32();
}

static void one_number(uint8_t left)
{
    checker c;
    const uint8_t *before = any_bytes(left), *end = before + left;

    c.p = before;
    c.end = end;
    c.bad = 0;
    (void)number_itself(&c, (uint8_t)Frama_C_nondet(0, 1));
    //@ assert inside: before <= c.p && c.p <= end;
}

static void check(uint8_t left, uint8_t blocks)
{
    checker c;
    const uint8_t *before = any_bytes(left), *end = before + left;

    any(&c, sizeof c);
    c.p = before;
    c.end = end;
    c.locals = any_u8(EDG_PARAMS, EDG_PARAMS + EDG_PROGRAM_LOCALS);
    c.blocks = blocks;
    c.bad = 0;
    instruction(&c);
    //@ assert inside: before < c.p && c.p <= end;
    //@ assert blocks: c.blocks <= EDG_PROGRAM_BLOCKS;
}

static void run_parts(uint8_t name_len, uint16_t payload_len)
{
    static uint8_t name[31];
    edg_program_input in;
    uint32_t operand[2];

    any(name, sizeof name);
    any(&in, sizeof in);
    any(operand, sizeof operand);
    in.name = name + sizeof name - name_len;
    in.name_len = name_len;
    in.payload = any_bytes(payload_len);
    in.payload_len = payload_len;
    (void)load(&in, any_u8(EDG_WASM_LOAD, EDG_WASM_LOAD16_U), operand, any_u32());
}

static void compute(void)
{
    uint32_t operand[2];

    any(operand, sizeof operand);
    (void)binary(any_u8(EDG_WASM_EQ, EDG_WASM_GE_U), operand);
    any(operand, sizeof operand);
    (void)binary(any_u8(EDG_WASM_ADD, EDG_WASM_ROTR), operand);
    (void)count(any_u8(EDG_WASM_CLZ, EDG_WASM_POPCNT), any_u32());
}

void driver(void)
{
    uint8_t n, blocks;

    any(area, sizeof area);
    /*@ loop unroll 8; */
    for (n = 0; n < 8; n++)
        one_number(n);
    /*@ loop unroll 46; */
    for (n = 1; n <= 46; n++)
        /*@ loop unroll 8; */
        for (blocks = 1; blocks <= EDG_PROGRAM_BLOCKS; blocks++)
            if (n <= 4 || n == 46)
                check(n, blocks);
    /*@ loop unroll 65; */
    for (n = 0; n <= EDG_MAX_PAYLOAD; n++)
        run_parts((uint8_t)(n < 31 ? n : 31), n);
    compute();
    END();
}
