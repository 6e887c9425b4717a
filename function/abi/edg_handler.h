/* edg_handler.h: write a handler once; run it on a node (WebAssembly) and in firmware (native C99).
 *
 * A handler is one function. It gets an input of `length` bytes in `data`, overwrites it with its output, and
 * returns the output's length: 0 for no output, negative for an error of its own choice. `capacity` is the room
 * at `data`. It keeps nothing between calls and must not rely on where `data` stands.
 *
 *     #include "edg_handler.h"
 *     static int32_t twice(uint8_t *data, uint16_t length, uint16_t capacity) { ... }
 *     EDG_HANDLER(twice, 64)
 *
 * For a node:    clang --target=wasm32 -mcpu=mvp -Os -nostdlib -Wl,--no-entry -Wl,-z,stack-size=1024 -Wl,--strip-all
 * For firmware:  compile natively; EDG_HANDLER defines `const struct edg_handler edg_handler_twice`.
 *
 * There is no libc under a node: no memcpy, no malloc, no recursion worth the name.
 */
#ifndef EDG_HANDLER_H
#define EDG_HANDLER_H

#include <stdint.h>

typedef int32_t (*edg_handle_fn)(uint8_t *data, uint16_t length, uint16_t capacity);

/* What firmware keeps of a handler. */
struct edg_handler {
	edg_handle_fn handle;
	uint16_t capacity;
};

#ifdef __wasm__

#define EDG_EXPORT(name) __attribute__((export_name(name), used))

/* CAPACITY is the largest input and output in bytes, at most 65535. */
#define EDG_HANDLER(name, CAPACITY)                                                                \
	static uint8_t edg_data[CAPACITY];                                                         \
	EDG_EXPORT("edg_buffer") uint8_t *edg_buffer(void)                                         \
	{                                                                                          \
		return edg_data;                                                                   \
	}                                                                                          \
	EDG_EXPORT("edg_capacity") int32_t edg_capacity(void)                                      \
	{                                                                                          \
		return (int32_t)sizeof edg_data;                                                   \
	}                                                                                          \
	EDG_EXPORT("edg_handle") int32_t edg_handle(int32_t length)                                \
	{                                                                                          \
		return name(edg_data, (uint16_t)length, (uint16_t)sizeof edg_data);                \
	}                                                                                          \
	struct edg_handler /* takes the semicolon */

#else

#define EDG_HANDLER(name, CAPACITY) const struct edg_handler edg_handler_##name = { name, CAPACITY }

#endif

/* Numbers on the wire are big-endian. */
static inline uint16_t edg_load16(const uint8_t *p)
{
	return (uint16_t)((uint16_t)((uint16_t)p[0] << 8) | p[1]);
}

static inline void edg_store16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* edg_window_next walks a window input: payloads, oldest first, each after its length as u16. It gives the payload's
 * offset and length and moves *at behind it; -1 at the end or if the input is cut short. */
static inline int32_t edg_window_next(const uint8_t *data, uint16_t length, uint16_t *at, uint16_t *size)
{
	uint16_t rest = (uint16_t)(length - *at);
	int32_t start;

	if (rest < 2u) {
		return -1;
	}
	*size = edg_load16(data + *at);
	if (*size > (uint16_t)(rest - 2u)) {
		return -1;
	}
	start = (int32_t)*at + 2;
	*at = (uint16_t)(*at + 2u + *size);
	return start;
}

#endif
