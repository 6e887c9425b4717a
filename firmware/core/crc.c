#include "edg.h"

/* CRC-16/CCITT-FALSE (polynomial 1021, initial FFFF), a byte at a time without a table. */
static inline uint16_t step(uint16_t crc, uint8_t byte)
{
    uint8_t x = (uint8_t)((uint8_t)(crc >> 8) ^ byte);

    x = (uint8_t)(x ^ (x >> 4));
    crc = (uint16_t)(crc << 8);
    crc = (uint16_t)(crc ^ (uint16_t)((uint16_t)x << 12));
    crc = (uint16_t)(crc ^ (uint16_t)((uint16_t)x << 5));
    return (uint16_t)(crc ^ x);
}

uint16_t edg_crc16_byte(uint16_t crc, uint8_t byte) { return step(crc, byte); }

uint16_t edg_crc16(const void *data, uint16_t n)
{
    const uint8_t *p = data;
    uint16_t crc = EDG_CRC_INIT;

    while (n-- > 0)
        crc = step(crc, *p++);
    return crc;
}
