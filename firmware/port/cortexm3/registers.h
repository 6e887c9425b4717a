/* The registers of the LM3S6965 that are used here (its datasheet: System Control, Ethernet Controller; ARMv7-M: SysTick, NVIC). */
#ifndef EDG_CORTEXM3_REGISTERS_H
#define EDG_CORTEXM3_REGISTERS_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define SYS_RIS REGISTER(0x400FE050u)
#define SYS_RCC REGISTER(0x400FE060u)
#define SYS_RCGC2 REGISTER(0x400FE108u)

#define TICK_CONTROL REGISTER(0xE000E010u)
#define TICK_RELOAD REGISTER(0xE000E014u)
#define TICK_VALUE REGISTER(0xE000E018u)
#define INTERRUPT_ENABLE ((volatile uint32_t *)0xE000E100u)

#define MAC_STATUS REGISTER(0x40048000u) /* read: what happened; write: forget it */
#define MAC_MASK REGISTER(0x40048004u)
#define MAC_RECEIVE REGISTER(0x40048008u)
#define MAC_TRANSMIT REGISTER(0x4004800Cu)
#define MAC_DATA REGISTER(0x40048010u)
#define MAC_ADDRESS0 REGISTER(0x40048014u)
#define MAC_ADDRESS1 REGISTER(0x40048018u)
#define MAC_THRESHOLD REGISTER(0x4004801Cu)
#define MAC_FRAMES REGISTER(0x40048034u) /* that wait */
#define MAC_SEND REGISTER(0x40048038u)

#endif
