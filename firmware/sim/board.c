#include "board.h"

#include <stdio.h>
#include <string.h>

#define NEWS_CODE 0x02u /* POST: a request, where answers are expected */
#define CYCLES_PER_MS (SIM_HZ / 1000u)

static void on_transmit(void *ctx, uint8_t byte)
{
    struct sim_board *b = ctx;
    uint16_t n = edg_slip_push(&b->decoder, byte);

    /* News of the device are messages too, and no answers. */
    if (n > 1 && b->frame[1] != NEWS_CODE) {
        b->frame_len = n;
    }
}

static void on_exchange(void *ctx, const struct sim_exchange *x)
{
    struct sim_board *b = ctx;

    b->last = *x;
    b->exchanges++;
}

static void on_ready(void *ctx, uint16_t boot)
{
    struct sim_board *b = ctx;

    b->boot = boot;
    b->ready = true;
}

static void on_wait(void *ctx, uint8_t seconds)
{
    ((struct sim_board *)ctx)->waited = seconds;
}

static void on_reset(void *ctx, enum sim_reset cause)
{
    struct sim_board *b = ctx;

    (void)cause;
    b->resets++;
    b->ready = false;
}

static void on_valve(void *ctx, uint8_t percent, uint8_t count)
{
    (void)count;
    ((struct sim_board *)ctx)->valve = percent;
}

static void on_trouble(void *ctx, const char *what)
{
    ((struct sim_board *)ctx)->troubles++;
    fprintf(stderr, "edg-sim: %s\n", what);
}

int sim_board_open(struct sim_board *b, const char *elf)
{
    const struct sim_hooks hooks = {
        .ctx = b,
        .transmit = on_transmit,
        .exchange = on_exchange,
        .valve = on_valve,
        .ready = on_ready,
        .wait = on_wait,
        .reset = on_reset,
        .trouble = on_trouble,
    };

    memset(b, 0, sizeof *b);
    edg_slip_init(&b->decoder, b->frame, sizeof b->frame);
    b->chip = sim_chip_new(elf, &hooks);
    return b->chip != NULL ? 0 : -1;
}

void sim_board_close(struct sim_board *b)
{
    sim_chip_free(b->chip);
    b->chip = NULL;
}

int sim_board_start(struct sim_board *b, unsigned seconds)
{
    uint64_t until = sim_chip_cycle(b->chip) + (uint64_t)seconds * SIM_HZ;

    while (!b->ready && sim_chip_cycle(b->chip) < until && sim_chip_step(b->chip)) {
    }
    return b->ready ? 0 : -1;
}

void sim_board_run(struct sim_board *b, uint64_t cycles)
{
    uint64_t until = sim_chip_cycle(b->chip) + cycles;

    while (sim_chip_cycle(b->chip) < until && sim_chip_step(b->chip)) {
    }
}

void sim_board_feed(struct sim_board *b, const uint8_t *bytes, size_t n)
{
    size_t done = 0;

    while (done < n && sim_chip_step(b->chip)) {
        done += sim_chip_receive(b->chip, bytes + done, n - done);
    }
}

struct wire {
    uint8_t bytes[2 * SIM_MESSAGE + 8];
    size_t n;
};

static void put(void *ctx, uint8_t byte)
{
    struct wire *w = ctx;

    if (w->n < sizeof w->bytes) {
        w->bytes[w->n++] = byte;
    }
}

size_t sim_board_ask(struct sim_board *b, const uint8_t *message, size_t n, uint8_t *answer, size_t cap)
{
    static const uint8_t noise[8] = {0x55, 0, 0xaa, 0, 0x55, 0, 0xaa, 0};
    struct wire w = {{0}, 0};
    uint64_t until = sim_chip_cycle(b->chip) + (uint64_t)SIM_ANSWER_MS * CYCLES_PER_MS;
    uint32_t exchanges = b->exchanges;

    b->frame_len = 0;
    edg_slip_send(put, &w, message, (uint16_t)n);
    sim_board_feed(b, w.bytes, w.n);
    /* Until the answer is here whole and the chip has handed over its last byte; or nothing came. */
    while ((b->frame_len == 0 || b->exchanges == exchanges) && sim_chip_cycle(b->chip) < until && sim_chip_step(b->chip)) {
        if (b->enable_noise && b->frame_len == 0 && sim_chip_room(b->chip) > 2000u) {
            (void)sim_chip_receive(b->chip, noise, sizeof noise);
        }
        if (b->exchanges != exchanges && b->last.out_bytes == 0) {
            break; /* handled, and no answer */
        }
    }
    if (b->frame_len == 0 || b->frame_len > cap) {
        return 0;
    }
    memcpy(answer, b->frame, b->frame_len);
    return b->frame_len;
}
