/* smooth: the mean of the window's readings.
 *
 * Input: a window of payloads, each an i16 big-endian, tenths of a degree (other sizes are passed over).
 * Output: i16 big-endian, the mean rounded to the nearest tenth, halves away from zero; nothing if there is no reading. */
#include "../abi/edg_handler.h"

static int32_t smooth(uint8_t *data, uint16_t length, uint16_t capacity)
{
	uint16_t at = 0, size = 0;
	int32_t sum = 0, n = 0, start, mean;

	(void)capacity;
	while ((start = edg_window_next(data, length, &at, &size)) >= 0) {
		if (size == 2u) {
			sum += (int16_t)edg_load16(data + start);
			n++;
		}
	}
	if (n == 0) {
		return 0;
	}
	mean = sum >= 0 ? (sum + n / 2) / n : -((-sum + n / 2) / n);
	edg_store16(data, (uint16_t)mean);
	return 2;
}

EDG_HANDLER(smooth, 512);
