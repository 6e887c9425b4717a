/* lx106: from reset to main, exceptions, and what an interrupt does.
 *
 * Whoever starts this (the boot ROM from flash, QEMU from the ELF file) has put .data and .iram in place already; only .bss is cleared here.
 * The code expects interrupts at two places only: in board_idle, which sleeps until one comes, and nowhere else. So an interrupt's whole
 * effect is to switch all of them off and to end the sleep: nothing ever runs at the same time as main. */

#define PS_START 0x21 /* user vector mode, level 1 masked, no exception */
#define LEVEL1_INTERRUPT 4
#define EXIT_FAULT 70

    .section .reset, "ax"
    .global _reset
_reset:                         /* 0x50000000, where this core starts when there is no boot ROM */
    j       1f
    .align  4
.Lstart:
    .word   _start
1:  l32r    a0, .Lstart
    jx      a0

    .section .vectors, "ax"     /* offsets from VECBASE are fixed by the core */
    .global _vectors
_vectors:
    .org    0x10
    j       fault               /* debug */
    .org    0x20
    j       fault               /* NMI */
    .org    0x30
    wsr     a0, excsave1        /* kernel mode */
    j       level1
    .org    0x50
    wsr     a0, excsave1        /* user mode */
    j       level1
    .org    0x70
    j       fault               /* double exception */

    .align  4
    .literal_position
level1:
    rsr     a0, exccause
    addi    a0, a0, -LEVEL1_INTERRUPT
    bnez    a0, fault
    wsr     a0, intenable       /* a0 is 0 */
    rsync
    rsr     a0, excsave1
    rfe

fault:                          /* no way on; on a board without an emulator the watchdog's part */
    movi    sp, _stack_top
    movi    a2, EXIT_FAULT
    movi    a0, semi_exit
    callx0  a0

    .text
    .align  4
    .literal_position
    .global _start
_start:
    movi    a2, PS_START
    wsr     a2, ps
    rsync
    movi    a2, _vectors
    wsr     a2, vecbase
    movi    a2, 0
    wsr     a2, intenable
    rsync
    movi    a3, _bss_start
    movi    a4, _bss_end
    j       2f
1:  s32i    a2, a3, 0
    addi    a3, a3, 4
2:  bltu    a3, a4, 1b
    movi    a2, 0xa5a5a5a5      /* so that the deepest use can be seen afterwards */
    movi    a3, _stack_low
    movi    a4, _stack_top
3:  s32i    a2, a3, 0
    addi    a3, a3, 4
    bltu    a3, a4, 3b
    movi    sp, _stack_top
    movi    a0, main
    callx0  a0
    movi    a0, semi_exit       /* a2: what main returned */
    callx0  a0
