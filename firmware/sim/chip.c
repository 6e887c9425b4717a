#include "chip.h"

#include <avr_eeprom.h>
#include <avr_ioport.h>
#include <avr_uart.h>
#include <sim_avr.h>
#include <sim_elf.h>
#include <sim_io.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../port/atmega328p/marks.h"

/* Data addresses of the ATmega328P's registers used here. */
enum {
    REG_GPIOR0 = 0x3e,
    REG_EECR = 0x3f,
    REG_EEDR = 0x40,
    REG_EEARL = 0x41,
    REG_EEARH = 0x42,
    REG_GPIOR1 = 0x4a,
    REG_GPIOR2 = 0x4b,
    REG_SPL = 0x5d,
    REG_SPH = 0x5e,
    REG_UCSR0A = 0xc0,
    REG_UCSR0B = 0xc1,
    REG_UBRR0L = 0xc4,
    REG_UBRR0H = 0xc5,
    RAM_START = 0x100
};
#define BIT_U2X0 0x02u
#define BIT_RXEN0 0x10u
#define BIT_EEPE 0x02u

#define BLOCK_SYMBOL "edg_sha256_block" /* the function whose calls are counted */

#define NEVER UINT64_MAX
#define FRAME_BITS 10u               /* start, 8 data, stop */
#define RECEIVER_BYTES 3u            /* two in the FIFO, one in the shift register */
#define QUEUE 2048u                  /* a power of two */
#define DATA_ADDRESS 0x800000u       /* where the linker puts RAM */

struct sim_chip {
    avr_t *avr;
    avr_uart_t *uart;
    avr_irq_t *uart_input;
    avr_irq_t *button; /* PD2, pulled up */
    avr_run_t run; /* the ordinary one; another stands there while a watchdog reset is due */
    struct sim_hooks hooks;
    uint8_t *eeprom;
    uint32_t block_pc;   /* of edg_sha256_block; flash beyond the code if there is none */
    uint32_t flash_bytes;
    uint16_t static_bytes;

    uint64_t next;       /* cycle at which service() has something to do */
    uint64_t rx_due;     /* the next byte may start on the line */
    uint64_t tx_due;     /* the byte under way has left the line */
    uint64_t eeprom_due; /* the EEPROM write under way ends */
    uint64_t button_due; /* the button is let go */
    uint8_t tx_byte;
    bool eeprom_touched;
    uint32_t overruns;
    uint32_t drops;

    uint8_t queue[QUEUE];
    size_t queue_head;
    size_t queue_tail;

    struct sim_exchange x;
    bool in_request;
    uint64_t hmac_since;
    uint64_t block_since;
    uint16_t block_sp; /* stack pointer on entering the compression under way, 0 = none */
    uint16_t lowest;       /* stack pointer, in this exchange */
    uint16_t lowest_ever;
    uint32_t noise;
};

static void trouble(struct sim_chip *c, const char *what)
{
    if (c->hooks.trouble != NULL) {
        c->hooks.trouble(c->hooks.ctx, what);
    }
}

static void due(struct sim_chip *c, uint64_t cycle)
{
    if (cycle < c->next) {
        c->next = cycle;
    }
}

static uint32_t byte_cycles(const struct sim_chip *c)
{
    const uint8_t *data = c->avr->data;
    uint32_t divider = (uint32_t)data[REG_UBRR0L] + 256u * (data[REG_UBRR0H] & 0x0fu) + 1u;
    return divider * ((data[REG_UCSR0A] & BIT_U2X0) != 0 ? 8u : 16u) * FRAME_BITS;
}

/* Callbacks of simavr */

static void on_mark(struct avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param)
{
    struct sim_chip *c = param;
    const struct sim_hooks *h = &c->hooks;
    uint8_t a = avr->data[REG_GPIOR1];
    uint8_t b = avr->data[REG_GPIOR2];
    avr->data[addr] = v;
    switch (v) {
    case EDG_MARK_REQUEST:
        c->x = (struct sim_exchange){.started = avr->cycle, .in_bytes = c->x.in_bytes, .static_bytes = c->static_bytes};
        c->lowest = avr->ramend;
        c->in_request = true;
        break;
    case EDG_MARK_VERDICT:
        c->x.verdict = (uint32_t)(avr->cycle - c->x.started);
        break;
    case EDG_MARK_ANSWER:
        c->x.cycles = (uint32_t)(avr->cycle - c->x.started);
        break;
    case EDG_MARK_SENT:
        if (!c->in_request) {
            break;
        }
        c->in_request = false;
        c->x.stack_used = (uint16_t)(avr->ramend - c->lowest);
        if (h->exchange != NULL) {
            h->exchange(h->ctx, &c->x);
        }
        c->x.in_bytes = 0;
        break;
    case EDG_MARK_DROP:
        c->drops++;
        c->x.in_bytes = 0;
        break;
    case EDG_MARK_HMAC:
        c->x.hmacs++;
        c->hmac_since = avr->cycle;
        break;
    case EDG_MARK_VALVE:
        if (h->valve != NULL) {
            h->valve(h->ctx, a, b);
        }
        break;
    case EDG_MARK_READY:
        if (h->ready != NULL) {
            h->ready(h->ctx, (uint16_t)(a | b << 8));
        }
        break;
    case EDG_MARK_WAIT:
        if (h->wait != NULL) {
            h->wait(h->ctx, a);
        }
        break;
    default:
        break;
    }
}

static void on_eeprom_control(struct avr_t *avr, avr_io_addr_t addr, uint8_t v, void *param)
{
    struct sim_chip *c = param;
    (void)avr;
    (void)addr;
    if ((v & BIT_EEPE) != 0) {
        c->eeprom_touched = true;
        c->next = 0;
    }
}

static void on_output(struct avr_irq_t *irq, uint32_t value, void *param)
{
    struct sim_chip *c = param;
    (void)irq;
    if (c->tx_due != NEVER && c->hooks.transmit != NULL) {
        c->hooks.transmit(c->hooks.ctx, c->tx_byte);
    }
    c->tx_byte = (uint8_t)value;
    c->tx_due = c->avr->cycle + byte_cycles(c);
    c->x.out_bytes++;
    due(c, c->tx_due);
}

static void on_drained(struct avr_irq_t *irq, uint32_t value, void *param)
{
    struct sim_chip *c = param;
    (void)irq;
    (void)value;
    if (c->rx_due != NEVER) {
        due(c, c->rx_due);
    }
}

static void on_sleep(struct avr_t *avr, avr_cycle_count_t how_long)
{
    struct sim_chip *c = avr->custom.data;
    uint64_t wish = how_long;
    if (c->next <= avr->cycle) {
        wish = 0;
    } else if (c->next - avr->cycle < wish) {
        wish = c->next - avr->cycle;
    }
    uint64_t passed = wish;
    if (wish > 0 && c->hooks.idle != NULL) {
        passed = c->hooks.idle(c->hooks.ctx, wish);
    }
    /* simavr adds all of how_long when this returns: take back what has not passed. */
    avr->cycle -= how_long - (passed < wish ? passed : wish);
}

static void on_log(struct avr_t *avr, const int level, const char *format, va_list ap)
{
    (void)avr;
    if (level == LOG_ERROR) {
        fputs("simavr: ", stderr);
        vfprintf(stderr, format, ap);
    }
}

/* Service: what is due at a cycle */

/* Bytes that the firmware has not read yet. */
static unsigned unread(const struct sim_chip *c)
{
    const uart_fifo_t *f = &c->uart->input;
    return (unsigned)(f->write + uart_fifo_fifo_size - f->read) % uart_fifo_fifo_size;
}

static void feed(struct sim_chip *c)
{
    uint64_t now = c->avr->cycle;
    if (c->queue_head == c->queue_tail || !sim_chip_listening(c)) {
        c->rx_due = c->queue_head == c->queue_tail ? NEVER : now + SIM_HZ / 1000u;
        return;
    }
    uint32_t t = byte_cycles(c);
    c->uart->cycles_per_byte = t; /* simavr counts a parity bit that 8N1 has not */
    if (now < c->rx_due) {
        return;
    }
    /* The byte before is being read right now: let it, the rate stays the same. */
    if (unread(c) > 0 && now < c->rx_due + t / 2u) {
        due(c, now + 16u);
        return;
    }
    uint8_t byte = c->queue[c->queue_tail];
    c->queue_tail = (c->queue_tail + 1u) % QUEUE;
    c->x.in_bytes++;
    if (unread(c) >= RECEIVER_BYTES) {
        c->overruns++;
        trouble(c, "receiver overrun: the firmware read too late and a byte was lost");
    } else {
        avr_raise_irq(c->uart_input, byte);
    }
    c->rx_due += t;
}

static void service_eeprom(struct sim_chip *c)
{
    uint8_t *data = c->avr->data;
    if (c->eeprom_touched) {
        c->eeprom_touched = false;
        uint16_t address = (uint16_t)((data[REG_EEARL] | data[REG_EEARH] << 8) & (int)(SIM_EEPROM_BYTES - 1u));
        c->x.eeprom_writes++;
        if (c->hooks.store != NULL) {
            c->hooks.store(c->hooks.ctx, address, c->eeprom[address]);
        }
        /* simavr's writes end at once; the real ones take their time, and the firmware polls this bit. */
        data[REG_EECR] |= BIT_EEPE;
        c->eeprom_due = c->avr->cycle + SIM_EEPROM_WRITE_CYCLES;
    } else if (c->avr->cycle >= c->eeprom_due) {
        c->eeprom_due = NEVER;
        data[REG_EECR] &= (uint8_t)~BIT_EEPE;
    }
}

static void service(struct sim_chip *c)
{
    c->next = NEVER;
    service_eeprom(c);
    if (c->avr->cycle >= c->tx_due) {
        c->tx_due = NEVER;
        if (c->hooks.transmit != NULL) {
            c->hooks.transmit(c->hooks.ctx, c->tx_byte);
        }
    }
    if (c->avr->cycle >= c->rx_due) {
        feed(c);
    }
    if (c->avr->cycle >= c->button_due) {
        c->button_due = NEVER;
        avr_raise_irq(c->button, 1);
    }
    due(c, c->button_due);
    due(c, c->eeprom_due);
    due(c, c->tx_due);
    if (c->rx_due > c->avr->cycle) {
        due(c, c->rx_due);
    }
}

/* Measuring */

/* True between the two halves of a change of the stack pointer, when its value means nothing: `out SPL, r` comes next. */
static bool sp_is_torn(const avr_t *avr)
{
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t pc = avr->pc + 2u * i;
        if (pc + 1u > avr->flashend) {
            return false;
        }
        unsigned op = avr->flash[pc] | (unsigned)avr->flash[pc + 1u] << 8;
        if ((op & 0xfe0fu) == 0xbe0du) {
            return true;
        }
    }
    return false;
}

static void measure(struct sim_chip *c)
{
    const avr_t *avr = c->avr;
    uint16_t sp = (uint16_t)(avr->data[REG_SPL] | avr->data[REG_SPH] << 8);
    if (sp < c->lowest && !sp_is_torn(avr)) {
        c->lowest = sp;
        if (sp < c->lowest_ever) {
            c->lowest_ever = sp;
            if (sp < RAM_START + c->static_bytes) {
                trouble(c, "stack overflow: the stack has grown into static data");
            }
        }
    }
    if (c->block_sp != 0 && sp > c->block_sp) {
        c->x.block_cycles = (uint32_t)(avr->cycle - c->block_since);
        c->x.hmac_cycles = (uint32_t)(avr->cycle - c->hmac_since); /* the last of its compressions counts */
        c->block_sp = 0;
    }
    if (avr->pc == c->block_pc) {
        c->x.blocks++;
        c->block_since = avr->cycle;
        c->block_sp = sp;
    }
}

bool sim_chip_step(struct sim_chip *c)
{
    avr_t *avr = c->avr;
    bool watchdog = avr->run != c->run;
    uint32_t before = avr->pc;
    avr_run(avr);
    if (watchdog) {
        c->tx_due = NEVER;
        c->eeprom_due = NEVER;
        c->lowest = avr->ramend;
        if (c->hooks.reset != NULL) {
            c->hooks.reset(c->hooks.ctx, SIM_RESET_WATCHDOG);
        }
    }
    if (avr->pc != before) {
        measure(c);
    }
    if (avr->cycle >= c->next) {
        service(c);
    }
    return avr->state != cpu_Done && avr->state != cpu_Crashed;
}

void sim_chip_press(struct sim_chip *c, uint64_t cycles)
{
    avr_raise_irq(c->button, 0);
    c->button_due = c->avr->cycle + cycles;
    due(c, c->button_due);
}

void sim_chip_power_cycle(struct sim_chip *c)
{
    avr_t *avr = c->avr;
    avr_reset(avr);
    avr_regbit_set(avr, avr->reset_flags.porf);
    for (uint32_t i = RAM_START; i <= avr->ramend; i++) {
        c->noise = c->noise * 1664525u + 1013904223u;
        avr->data[i] = (uint8_t)(c->noise >> 24);
    }
    c->next = c->rx_due = c->tx_due = c->eeprom_due = c->button_due = NEVER;
    avr_raise_irq(c->button, 1);
    c->eeprom_touched = false;
    c->queue_head = c->queue_tail = 0;
    c->in_request = false;
    c->lowest = c->lowest_ever = avr->ramend;
    c->block_sp = 0;
    memset(&c->x, 0, sizeof c->x);
    if (c->hooks.reset != NULL) {
        c->hooks.reset(c->hooks.ctx, SIM_RESET_POWER);
    }
}

/* Bytes in */

size_t sim_chip_room(const struct sim_chip *c)
{
    return (c->queue_tail + QUEUE - c->queue_head - 1u) % QUEUE;
}

size_t sim_chip_receive(struct sim_chip *c, const uint8_t *bytes, size_t n)
{
    size_t taken = 0;
    while (taken < n && sim_chip_room(c) > 0) {
        c->queue[c->queue_head] = bytes[taken++];
        c->queue_head = (c->queue_head + 1u) % QUEUE;
    }
    if (taken > 0 && c->rx_due == NEVER) {
        c->rx_due = c->avr->cycle;
        c->next = 0;
    }
    return taken;
}

/* Figures */

uint64_t sim_chip_cycle(const struct sim_chip *c) { return c->avr->cycle; }
bool sim_chip_listening(const struct sim_chip *c) { return (c->avr->data[REG_UCSR0B] & BIT_RXEN0) != 0; }
uint16_t sim_chip_static_bytes(const struct sim_chip *c) { return c->static_bytes; }
uint32_t sim_chip_flash_bytes(const struct sim_chip *c) { return c->flash_bytes; }
uint16_t sim_chip_worst_stack(const struct sim_chip *c) { return (uint16_t)(c->avr->ramend - c->lowest_ever); }
uint32_t sim_chip_overruns(const struct sim_chip *c) { return c->overruns; }
uint32_t sim_chip_drops(const struct sim_chip *c) { return c->drops; }
uint8_t *sim_chip_eeprom(struct sim_chip *c) { return c->eeprom; }

/* Tests */

#define TRAP 0x7ffeu /* the last word of flash: a jump to itself */

static void jump(struct sim_chip *c, uint32_t pc)
{
    c->avr->flash[TRAP] = 0xff;
    c->avr->flash[TRAP + 1u] = 0xcf;
    c->avr->pc = pc;
    c->avr->state = cpu_Running;
}

void sim_chip_hang(struct sim_chip *c)
{
    jump(c, TRAP);
}

uint32_t sim_chip_compress(struct sim_chip *c, uint32_t state[8], const uint8_t block[64])
{
    enum { STATE = 0x200, BLOCK = 0x240, R22 = 22, R24 = 24 };
    uint8_t *data = c->avr->data;
    uint16_t sp = (uint16_t)(c->avr->ramend - 2u);

    for (size_t i = 0; i < 32u; i++) { /* words are little-endian there */
        data[STATE + i] = (uint8_t)(state[i / 4u] >> 8u * (i % 4u));
    }
    memcpy(data + BLOCK, block, 64);
    data[R24] = STATE & 0xff;
    data[R24 + 1] = STATE >> 8;
    data[R22] = BLOCK & 0xff;
    data[R22 + 1] = BLOCK >> 8;
    data[sp + 1u] = (TRAP / 2u) >> 8;
    data[sp + 2u] = (TRAP / 2u) & 0xffu;
    data[REG_SPL] = (uint8_t)sp;
    data[REG_SPH] = (uint8_t)(sp >> 8);
    c->avr->sreg[S_I] = 0;
    jump(c, c->block_pc);
    uint64_t since = c->avr->cycle;
    while (c->avr->pc != TRAP && c->avr->cycle - since < 1000000u) {
        (void)sim_chip_step(c);
    }
    for (size_t i = 0; i < 8u; i++) {
        const uint8_t *w = data + STATE + 4u * i;
        state[i] = (uint32_t)w[0] | (uint32_t)w[1] << 8 | (uint32_t)w[2] << 16 | (uint32_t)w[3] << 24;
    }
    return (uint32_t)(c->avr->cycle - since);
}

/* Loading */

/* Where static data ends: the highest of these, since simavr keeps one symbol an address. */
static bool ends_static_data(const char *symbol)
{
    static const char *const ends[] = {"_end", "__heap_start", "__bss_end", "__noinit_end", "_edata"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (strcmp(symbol, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool find_symbols(struct sim_chip *c, const elf_firmware_t *fw)
{
    uint32_t end = 0;
    for (uint32_t i = 0; i < fw->symbolcount; i++) {
        const avr_symbol_t *s = fw->symbol[i];
        if (strcmp(s->symbol, BLOCK_SYMBOL) == 0) {
            c->block_pc = s->addr;
        }
        if (ends_static_data(s->symbol) && s->addr > end) {
            end = s->addr;
        }
    }
    c->static_bytes = (uint16_t)(end - DATA_ADDRESS - RAM_START);
    return end >= DATA_ADDRESS + RAM_START;
}

static avr_uart_t *find_uart(avr_t *avr)
{
    for (avr_io_t *io = avr->io_port; io != NULL; io = io->next) {
        if (io->kind != NULL && strcmp(io->kind, "uart") == 0) {
            return (avr_uart_t *)(void *)io;
        }
    }
    return NULL;
}

struct sim_chip *sim_chip_new(const char *elf, const struct sim_hooks *hooks)
{
    static elf_firmware_t fw; /* large, and simavr keeps pointers into it */
    avr_global_logger_set(on_log);
    memset(&fw, 0, sizeof fw);
    if (elf_read_firmware(elf, &fw) != 0) {
        fprintf(stderr, "edg-sim: cannot read %s as an AVR ELF file\n", elf);
        return NULL;
    }
    struct sim_chip *c = calloc(1, sizeof *c);
    avr_t *avr = avr_make_mcu_by_name("atmega328p");
    if (c == NULL || avr == NULL) {
        free(c);
        fputs("edg-sim: no memory, or a simavr without the ATmega328P\n", stderr);
        return NULL;
    }
    c->avr = avr;
    c->hooks = *hooks;
    c->noise = 1;
    c->block_pc = UINT32_MAX;
    avr_init(avr);
    avr->frequency = SIM_HZ;
    avr_load_firmware(avr, &fw);
    avr->frequency = SIM_HZ;
    avr->run_cycle_limit = 1; /* one instruction a run, so that no stack pointer is missed */
    avr->custom.data = c;
    avr->sleep = on_sleep;
    c->run = avr->run;
    c->flash_bytes = fw.flashsize;
    c->uart = find_uart(avr);
    avr_eeprom_desc_t ee = {NULL, 0, SIM_EEPROM_BYTES};
    avr_ioctl(avr, AVR_IOCTL_EEPROM_GET, &ee);
    c->eeprom = ee.ee;
    if (c->uart == NULL || c->eeprom == NULL || !find_symbols(c, &fw)) {
        fprintf(stderr, "edg-sim: %s is no firmware for the ATmega328P\n", elf);
        sim_chip_free(c);
        return NULL;
    }
    memset(c->eeprom, 0xff, SIM_EEPROM_BYTES);
    uint32_t flags = 0; /* no polling sleeps, no echo on stdout */
    avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
    c->uart_input = avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_output, c);
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), on_drained, c);
    c->button = avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ('D'), 2);
    avr_register_io_write(avr, REG_GPIOR0, on_mark, c);
    avr_register_io_write(avr, REG_EECR, on_eeprom_control, c);
    struct sim_hooks silent = c->hooks;
    c->hooks.reset = NULL;
    sim_chip_power_cycle(c);
    c->hooks = silent;
    return c;
}

void sim_chip_free(struct sim_chip *c)
{
    if (c == NULL) {
        return;
    }
    avr_terminate(c->avr);
    free(c);
}
