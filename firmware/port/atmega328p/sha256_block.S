/* void edg_sha256_block(uint32_t state[8], uint8_t block[64])            FIPS 180-4 6.2.2, for the ATmega328P
 *
 * `block` must be aligned to 64 bytes: the message schedule is a ring of 16 big-endian words in it, and only the low byte of
 * an address into it ever changes. It is destroyed.
 *
 * The eight working variables stand in 64 bytes of stack. A round stores the new a below the old one and the new e over d, and
 * the frame moves down by one word, so nothing is shifted; after 8 rounds the frame is copied back up. a and e stay in registers.
 *
 * Rotations: whole bytes are a matter of naming; one bit is 5 cycles to the left; three bits are four multiplications by 8.
 * The three rotations of a sigma are nested, so that bits are moved as rarely as possible:
 *
 *     S1(e) = rotr 6, 11, 25  = ((e <<< 2 ^ e <<< 16) <<< 3 ^ e <<< 24) <<< 2
 *     S0(a) = rotr 2, 13, 22  = ((a <<< 24 <<< 3 ^ a <<< 16) <<< 1 ^ a <<< 8) <<< 2
 *     s0(x) = rotr 7, 18, shr 3   = ((x <<< 8 <<< 1 ^ x <<< 24) <<< 4 ^ x <<< 24) <<< 1, less the 3 bits that shr drops
 *     s1(x) = rotr 17, 19, shr 10 = ((x >>> 16 >>> 1 ^ x >> 8) >>> 1 ^ x >>> 16) >>> 1, less the 2 bits that shr drops
 *
 * Time does not depend on the data.
 */
#include <avr/io.h>

#define e0 r2
#define e1 r3
#define e2 r4
#define e3 r5
#define a0 r6
#define a1 r7
#define a2 r8
#define a3 r9
#define t0 r10 /* the sum under way */
#define t1 r11
#define t2 r12
#define t3 r13
#define x0 r14
#define x1 r15
#define x2 r16
#define x3 r17
#define u0 r18
#define u1 r19
#define u2 r20
#define u3 r21
#define tmp r22
#define tmq r23
#define at r24   /* low byte of the address of W[i] */
#define zero r25

/* Y + these: the working variables that are not in registers */
#define B 4
#define C 8
#define D 12
#define F 20
#define G 24
#define H 28

#define FRAME 32

.macro rotl1 p0, p1, p2, p3
    lsl \p0
    rol \p1
    rol \p2
    rol \p3
    adc \p0, zero
.endm

.macro rotr1 p0, p1, p2, p3
    mov tmp, \p0
    lsr tmp
    ror \p3
    ror \p2
    ror \p1
    ror \p0
.endm

/* q = p rotated left by the bits that tmp = 2^bits says; q0 and q2 are even registers */
.macro rotl_mul q0, q1, q2, q3, p0, p1, p2, p3
    mul \p0, tmp
    movw \q0, r0
    mul \p2, tmp
    movw \q2, r0
    mul \p1, tmp
    eor \q1, r0
    eor \q2, r1
    mul \p3, tmp
    eor \q3, r0
    eor \q0, r1
.endm

.macro eor4 q0, q1, q2, q3, p0, p1, p2, p3
    eor \q0, \p0
    eor \q1, \p1
    eor \q2, \p2
    eor \q3, \p3
.endm

.macro add4 q0, q1, q2, q3, p0, p1, p2, p3
    add \q0, \p0
    adc \q1, \p1
    adc \q2, \p2
    adc \q3, \p3
.endm

/* X = address of byte `offset` from W[i], round the ring */
.macro point offset
    mov XL, at
    subi XL, -(\offset)
    eor XL, at
    andi XL, 63
    eor XL, at
.endm

/* x = the word at X */
.macro load_x
    ld x3, X+
    ld x2, X+
    ld x1, X+
    ld x0, X
.endm

/* t += the word whose last byte is at X */
.macro add_word
    ld tmp, X
    add t0, tmp
    ld tmp, -X
    adc t1, tmp
    ld tmp, -X
    adc t2, tmp
    ld tmp, -X
    adc t3, tmp
.endm

.macro choose op, t, e, i
    ldd tmp, Y+F+\i
    ldd tmq, Y+G+\i
    eor tmp, tmq
    and tmp, \e
    eor tmp, tmq
    \op \t, tmp
.endm

.macro majority op, t, a, i
    ldd tmp, Y+B+\i
    ldd tmq, Y+C+\i
    eor tmp, tmq
    mov r0, \a
    eor r0, tmq
    and r0, tmp
    eor r0, tmq
    \op \t, r0
.endm

.section .text.edg_sha256_block, "ax", @progbits
.global edg_sha256_block
.type edg_sha256_block, @function
edg_sha256_block:
    push r2
    push r3
    push r4
    push r5
    push r6
    push r7
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    push r16
    push r17
    push r28
    push r29
    push r24
    push r25
    in r28, _SFR_IO_ADDR(SPL)
    in r29, _SFR_IO_ADDR(SPH)
    sbiw r28, 63
    sbiw r28, 1
    in r0, _SFR_IO_ADDR(SREG)
    cli
    out _SFR_IO_ADDR(SPH), r29
    out _SFR_IO_ADDR(SREG), r0
    out _SFR_IO_ADDR(SPL), r28
    adiw r28, 1 + FRAME

    movw XL, r24 /* the state into the upper half */
    ldi r21, 32
1:  ld r0, X+
    st Y+, r0
    dec r21
    brne 1b
    sbiw r28, 32
    ldd a0, Y+0
    ldd a1, Y+1
    ldd a2, Y+2
    ldd a3, Y+3
    ldd e0, Y+16
    ldd e1, Y+17
    ldd e2, Y+18
    ldd e3, Y+19
    movw XL, r22
    mov at, r22
    clr zero
    ldi ZL, lo8(constants)
    ldi ZH, hi8(constants)
    clt /* T: words are made, no longer taken */

round:
    brts make
    mov XL, at
    ld t3, X+
    ld t2, X+
    ld t1, X+
    ld t0, X
    rjmp have

make: /* t = W[i] += s0(W[i+1]) + W[i+9] + s1(W[i+14]) */
    point 4
    load_x
    mov u0, x3
    mov u1, x0
    mov u2, x1
    mov u3, x2
    rotl1 u0, u1, u2, u3
    eor4 u0, u1, u2, u3, x1, x2, x3, x0
    ldi tmp, 16
    rotl_mul t0, t1, t2, t3, u0, u1, u2, u3
    eor4 t0, t1, t2, t3, x1, x2, x3, x0
    rotl1 t0, t1, t2, t3
    ldi tmp, 32
    mul x0, tmp
    eor t3, r0
    point 56
    load_x
    movw u0, x2
    movw u2, x0
    rotr1 u0, u1, u2, u3
    eor u0, x1
    eor u1, x2
    eor u2, x3
    rotr1 u0, u1, u2, u3
    eor4 u0, u1, u2, u3, x2, x3, x0, x1
    rotr1 u0, u1, u2, u3
    ldi tmp, 64
    mul x1, tmp
    eor u3, r0
    add4 t0, t1, t2, t3, u0, u1, u2, u3
    point 39
    add_word
    mov XL, at
    subi XL, -3
    add_word
    st X+, t3
    st X+, t2
    st X+, t1
    st X, t0

have: /* t += h + K[i] + Ch(e, f, g) + S1(e) */
    ldd tmp, Y+H+0
    add t0, tmp
    ldd tmp, Y+H+1
    adc t1, tmp
    ldd tmp, Y+H+2
    adc t2, tmp
    ldd tmp, Y+H+3
    adc t3, tmp
    lpm tmp, Z+
    add t0, tmp
    lpm tmp, Z+
    adc t1, tmp
    lpm tmp, Z+
    adc t2, tmp
    lpm tmp, Z+
    adc t3, tmp
    choose add, t0, e0, 0
    choose adc, t1, e1, 1
    choose adc, t2, e2, 2
    choose adc, t3, e3, 3
    movw x0, e0
    movw x2, e2
    rotl1 x0, x1, x2, x3
    rotl1 x0, x1, x2, x3
    eor4 x0, x1, x2, x3, e2, e3, e0, e1
    ldi tmp, 8
    rotl_mul u0, u1, u2, u3, x0, x1, x2, x3
    eor4 u0, u1, u2, u3, e1, e2, e3, e0
    rotl1 u0, u1, u2, u3
    rotl1 u0, u1, u2, u3
    add4 t0, t1, t2, t3, u0, u1, u2, u3

    /* e = d + t */
    ldd e0, Y+D+0
    ldd e1, Y+D+1
    ldd e2, Y+D+2
    ldd e3, Y+D+3
    add4 e0, e1, e2, e3, t0, t1, t2, t3
    std Y+D+0, e0
    std Y+D+1, e1
    std Y+D+2, e2
    std Y+D+3, e3

    /* a = t + S0(a) + Maj(a, b, c) */
    ldi tmp, 8
    rotl_mul u0, u1, u2, u3, a1, a2, a3, a0
    eor4 u0, u1, u2, u3, a2, a3, a0, a1
    rotl1 u0, u1, u2, u3
    eor4 u0, u1, u2, u3, a3, a0, a1, a2
    rotl1 u0, u1, u2, u3
    rotl1 u0, u1, u2, u3
    add4 t0, t1, t2, t3, u0, u1, u2, u3
    majority add, t0, a0, 0
    majority adc, t1, a1, 1
    majority adc, t2, a2, 2
    majority adc, t3, a3, 3
    movw a0, t0
    movw a2, t2
    sbiw r28, 4
    std Y+0, a0
    std Y+1, a1
    std Y+2, a2
    std Y+3, a3

    mov tmp, at
    subi tmp, -4
    eor tmp, at
    andi tmp, 63
    eor at, tmp
    mov tmp, at
    andi tmp, 31
    breq 2f
    rjmp round

2:  cpi ZL, lo8(constants) /* the table has 256 bytes: after 64 rounds the low byte is what it was */
    breq done
    cpi ZL, lo8(constants + 64)
    brne 3f
    set
3:  ldi tmq, 8 /* the frame back up */
4:  ld r0, Y
    std Y+FRAME, r0
    ldd r0, Y+1
    std Y+FRAME+1, r0
    ldd r0, Y+2
    std Y+FRAME+2, r0
    ldd r0, Y+3
    std Y+FRAME+3, r0
    adiw r28, 4
    dec tmq
    brne 4b
    rjmp round

done: /* state += working variables; nothing of them stays on the stack */
    adiw r28, 32
    ldd XH, Y+32
    ldd XL, Y+33
    sbiw r28, 32
    ldi tmq, 8
5:  ld r0, X
    ld tmp, Y
    add r0, tmp
    st X+, r0
    std Y+FRAME, zero
    st Y+, zero
    ld r0, X
    ld tmp, Y
    adc r0, tmp
    st X+, r0
    std Y+FRAME, zero
    st Y+, zero
    ld r0, X
    ld tmp, Y
    adc r0, tmp
    st X+, r0
    std Y+FRAME, zero
    st Y+, zero
    ld r0, X
    ld tmp, Y
    adc r0, tmp
    st X+, r0
    std Y+FRAME, zero
    st Y+, zero
    dec tmq
    brne 5b

    adiw r28, 31
    in r0, _SFR_IO_ADDR(SREG)
    cli
    out _SFR_IO_ADDR(SPH), r29
    out _SFR_IO_ADDR(SREG), r0
    out _SFR_IO_ADDR(SPL), r28
    pop r25
    pop r24
    pop r29
    pop r28
    pop r17
    pop r16
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop r7
    pop r6
    pop r5
    pop r4
    pop r3
    pop r2
    clr r1
    ret
.size edg_sha256_block, . - edg_sha256_block

.section .progmem.data.edg_sha256_block, "a", @progbits
constants:
    .long 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5
    .long 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174
    .long 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da
    .long 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967
    .long 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85
    .long 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070
    .long 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3
    .long 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2
