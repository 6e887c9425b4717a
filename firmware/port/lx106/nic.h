#ifndef EDG_LX106_NIC_H
#define EDG_LX106_NIC_H

enum { NIC_INTERRUPT = 1 };

/* 1: a frame waits. 0: none does, and the next one raises the interrupt. */
int nic_waiting(void);

#endif
