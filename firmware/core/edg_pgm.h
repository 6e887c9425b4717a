/* Constant tables: avr-gcc keeps them in RAM unless told otherwise, so every table of the core and of a service is
 * declared EDG_PGM and read through these macros only. On other machines they are plain memory. */
#ifndef EDG_PGM_H
#define EDG_PGM_H

#include <stdint.h>
#include <string.h>

#if defined(__AVR__)
#include <avr/pgmspace.h>
#define EDG_PGM PROGMEM
#define edg_pgm_u8(p) pgm_read_byte(p)
#define edg_pgm_u16(p) pgm_read_word(p)
#define edg_pgm_u32(p) pgm_read_dword(p)
#define edg_pgm_pointer(type, p) ((type)pgm_read_word(p))
#define edg_pgm_copy(dst, src, n) ((void)memcpy_P((dst), (src), (n)))
#else
#define EDG_PGM
#define edg_pgm_u8(p) (*(const uint8_t *)(p))
#define edg_pgm_u16(p) (*(const uint16_t *)(p))
#define edg_pgm_u32(p) (*(const uint32_t *)(p))
#define edg_pgm_pointer(type, p) (*(p))
#define edg_pgm_copy(dst, src, n) ((void)memcpy((dst), (src), (n)))
#endif

#endif
