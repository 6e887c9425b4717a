#include "bench.h"
#include "check.h"

typedef struct wire {
    uint8_t bytes[1024];
    size_t n;
} wire;

static void put(void *ctx, uint8_t byte)
{
    wire *w = ctx;

    w->bytes[w->n++] = byte;
}

/* Feeds the bytes; the length of the last message that came, and how many came. */
static uint16_t feed(edg_slip *s, const uint8_t *p, size_t n, unsigned *count)
{
    uint16_t len = 0;

    *count = 0;
    for (; n > 0; n--) {
        uint16_t got = edg_slip_push(s, *p++);

        if (got > 0) {
            len = got;
            (*count)++;
        }
    }
    return len;
}

void test_line(void)
{
    static const uint8_t message[] = {0xC0, 0xDB, 0xDC, 0xDD, 0x00, 0xC0, 0xC0, 0xDB};
    uint8_t buf[10];
    edg_slip s;
    wire w;
    unsigned count;
    size_t i, bit;

    CHECK_EQ(edg_crc16("123456789", 9), 0x29B1); /* the check value of CRC-16/CCITT-FALSE */

    w.n = 0;
    edg_slip_send(put, &w, message, sizeof message);
    edg_slip_init(&s, buf, sizeof buf);
    CHECK_EQ(feed(&s, w.bytes, w.n, &count), sizeof message);
    CHECK_EQ(count, 1);
    CHECK(memcmp(buf, message, sizeof message) == 0);
    CHECK_EQ(feed(&s, w.bytes, w.n, &count), sizeof message); /* and again, END to END */

    /* No frame with a flipped bit is taken. */
    for (i = 0; i < w.n; i++)
        for (bit = 0; bit < 8; bit++) {
            w.bytes[i] ^= (uint8_t)(1u << bit);
            edg_slip_init(&s, buf, sizeof buf);
            if (feed(&s, w.bytes, w.n, &count) != 0)
                CHECK(i == 0 && count == 1 && memcmp(buf, message, sizeof message) == 0); /* never: a broken first END joins the message */
            w.bytes[i] ^= (uint8_t)(1u << bit);
        }

    /* One byte more than fits is dropped, and the next frame is well. */
    edg_slip_init(&s, buf, sizeof buf - 1);
    CHECK_EQ(feed(&s, w.bytes, w.n, &count), 0);
    w.n = 0;
    edg_slip_send(put, &w, message, 4);
    CHECK_EQ(feed(&s, w.bytes, w.n, &count), 4);

    /* Broken escapes, escape before END, empty frames, a CRC alone. */
    edg_slip_init(&s, buf, sizeof buf);
    CHECK_EQ(feed(&s, (const uint8_t *)"\xC0\xDB\x01\x02\x03\xC0", 6, &count), 0);
    CHECK_EQ(feed(&s, (const uint8_t *)"\xC0\x01\x02\x03\xDB\xC0", 6, &count), 0);
    CHECK_EQ(feed(&s, (const uint8_t *)"\xC0\xC0\xC0\xFF\xFF\xC0", 6, &count), 0);
    CHECK_EQ(feed(&s, w.bytes, w.n, &count), 4);
}
