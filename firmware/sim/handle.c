/* Where CHECK counts, and where the messages of test/caller.c go. */
#include "../test/check.h"
#include "life.h"

unsigned long check_failures, check_count;

size_t (*life_ask)(const uint8_t *message, size_t n, uint8_t *answer, size_t cap);

/* In this program the device is not called but asked over its line. */
size_t edg_device_handle(edg_device *dev, uint8_t *in, size_t n, uint8_t *out, size_t cap, unsigned link_flags)
{
    (void)dev;
    (void)link_flags;
    return life_ask(in, n, out, cap);
}
