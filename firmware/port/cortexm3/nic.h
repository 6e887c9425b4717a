#ifndef EDG_CORTEXM3_NIC_H
#define EDG_CORTEXM3_NIC_H

/* 1: a frame waits. 0: none does, and the next one raises the interrupt. */
int nic_waiting(void);

#endif
