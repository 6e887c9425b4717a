/* alarm: says so in words when a reading (i16 big-endian, tenths of a degree) is above 30.0; silent otherwise. A
 * reading of another size is an error. */
#include "../abi/edg_handler.h"

static int32_t alarm(uint8_t *data, uint16_t length, uint16_t capacity)
{
	static const char text[] = "too warm: ";
	uint16_t value;
	uint16_t n = 0, digit = 10000;

	if (length != 2u || capacity < 20u) {
		return -1;
	}
	value = edg_load16(data);
	if (value > 0x7fffu || value <= 300u) {
		return 0;
	}
	while (text[n] != '\0') {
		data[n] = (uint8_t)text[n];
		n++;
	}
	while (digit > 10u && value / digit == 0u) {
		digit = (uint16_t)(digit / 10u);
	}
	for (; digit > 0u; digit = (uint16_t)(digit / 10u)) {
		if (digit == 1u) {
			data[n++] = '.';
		}
		data[n++] = (uint8_t)('0' + value / digit % 10u);
	}
	return n;
}

EDG_HANDLER(alarm, 64);
