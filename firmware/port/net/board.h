/* What main.c needs of a board with a network; each port has its board.c and nic.c. */
#ifndef EDG_NET_BOARD_H
#define EDG_NET_BOARD_H

#include <stdint.h>

/* Clock and tick. */
void board_start(void);
/* 100 ms units since reset. */
uint32_t board_ticks(void *ctx);
/* Sleeps until a frame has come or a tick is over. Returns at once if a frame waits. */
void board_idle(void);

void nic_start(const uint8_t mac[6]);
/* A frame without its check sequence; its length, 0: none waits. One that is damaged or longer than cap is dropped. */
uint16_t nic_receive(uint8_t *frame, uint16_t cap);
/* A frame of NET_ETHERNET..NET_FRAME bytes; a short one is padded. What the network loses the peer asks for again. */
void nic_send(const uint8_t *frame, uint16_t n);

#endif
