#include "edg.h"

/* CRC-16/CCITT-FALSE (polynomial 1021, initial FFFF), a byte at a time without a table. In bytes: a shift of 16 bits by 5 is a loop on AVR. */
uint16_t edg_crc16_byte(uint16_t crc, uint8_t byte)
{
    uint8_t x = (uint8_t)((uint8_t)(crc >> 8) ^ byte), high, low;

    x = (uint8_t)(x ^ (x >> 4));
    high = (uint8_t)((uint8_t)crc ^ (uint8_t)(x << 4) ^ (x >> 3));
    low = (uint8_t)(x ^ (uint8_t)(x << 5));
    return (uint16_t)(((uint16_t)high << 8) | low);
}

uint16_t edg_crc16(const void *data, uint16_t n)
{
    const uint8_t *p = data;
    uint16_t crc = EDG_CRC_INIT;

    while (n-- > 0)
        crc = edg_crc16_byte(crc, *p++);
    return crc;
}
