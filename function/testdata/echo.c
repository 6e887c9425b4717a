/* echo: the output is the input. */
#include "../abi/edg_handler.h"

static int32_t echo(uint8_t *data, uint16_t length, uint16_t capacity)
{
	(void)data;
	(void)capacity;
	return length;
}

EDG_HANDLER(echo, 1024);
