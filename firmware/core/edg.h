/* Edgeistry's firmware core: a nanoservice behind capabilities, for microcontrollers from 2 KiB of RAM up.
 *
 * Promises: no malloc, no recursion, no mutable globals, no I/O: bytes in, bytes out. The caller owns every byte; the structs
 * are public so that they can be placed statically, their contents are private. Lengths are checked before bytes are touched.
 * Formats and rules: docs/spec/{wire,capability,claim,log}.md.
 *
 * Use:
 *     static edg_device dev;
 *     static uint8_t in[200], out[128];            // out must stay as it is between calls: it is the deduplication memory
 *     edg_device_init(&dev, &platform, &greenhouse_service, &greenhouse);     // before the link is enabled
 *     for (;;) {
 *         if (message of n bytes arrived in `in`)
 *             if ((n = edg_device_handle(&dev, in, n, out, sizeof out, EDG_LINK_LOCAL | EDG_LINK_CLAIM)) > 0) send(out, n);
 *         edg_device_poll(&dev);
 *     }
 */
#ifndef EDG_H
#define EDG_H

#include <stddef.h>
#include <stdint.h>

#include "edg_config.h"
#include "edg_pgm.h"

/* A length: of a message and what is in it. */
#if EDG_MAX_MESSAGE < 256
typedef uint8_t edg_len;
#else
typedef uint16_t edg_len;
#endif

/* ---- results ---- */

enum {
    EDG_OK = 0,
    EDG_ERR_STORAGE = -1,   /* non-volatile memory failed, or did not read back */
    EDG_ERR_ARGUMENT = -2,  /* refused argument */
    EDG_ERR_WEAR = -3,      /* the write budget of an EEPROM log is spent for now */
    EDG_ERR_MALFORMED = -4, /* bytes that are not what they should be */
    EDG_ERR_CLOSED = -5     /* not claimed: logs are not alive */
};

/* ---- the platform: everything the core needs from the board ---- */

typedef struct edg_platform {
    void *ctx;
    /* 100 ms units since boot; never backwards. */
    uint32_t (*ticks)(void *ctx);
    /* EEPROM; 0 or a negative enum. Bytes are written in ascending order, and durable when the write returns, or once the last of them is read: the core reads
     * back all that it writes. */
    int (*nv_read)(void *ctx, uint16_t addr, void *dst, uint16_t n);
    int (*nv_write)(void *ctx, uint16_t addr, const void *src, uint16_t n);
} edg_platform;

/* ---- SHA-256, HMAC (FIPS 180-4, RFC 2104): one block buffer, messages to 65,535 bytes ---- */

typedef struct edg_sha256 {
    uint8_t block[64] EDG_BLOCK_ALIGN;
    uint32_t state[8];
    uint16_t length;
} edg_sha256;

/* One compression. `block` holds the 64 message bytes and is destroyed. A port may supply its own
 * (EDG_PORT_SHA256_BLOCK). */
void edg_sha256_block(uint32_t state[8], uint8_t block[64]);

void edg_sha256_init(edg_sha256 *s);
void edg_sha256_update(edg_sha256 *s, const void *data, edg_len n);
void edg_sha256_final(edg_sha256 *s, uint8_t out[32]);

/* A key made ready: what SHA-256 is after each of its two pads, as it stands in memory. Spares two compressions of every HMAC under it. */
typedef struct edg_pads {
    uint8_t inner[32], outer[32];
} edg_pads;

/* key_len <= 32; the key may stand in s->block. */
void edg_pads_make(edg_sha256 *s, edg_pads *pads, const uint8_t *key, uint8_t key_len);
/* The message goes in by edg_sha256_update in between; the HMAC is then in the first 32 bytes of s->block. */
void edg_hmac_begin(edg_sha256 *s, const edg_pads *pads);
void edg_hmac_end(edg_sha256 *s, const edg_pads *pads);

/* The same with the key itself, where speed is no matter; the key given to final is the one given to init. */
void edg_hmac_init(edg_sha256 *s, const uint8_t *key, uint8_t key_len);
void edg_hmac_final(edg_sha256 *s, const uint8_t *key, uint8_t key_len, uint8_t out[32]);

/* ---- CRC-16/CCITT-FALSE and SLIP ---- */

#define EDG_CRC_INIT 0xFFFFu
uint16_t edg_crc16_byte(uint16_t crc, uint8_t byte);
uint16_t edg_crc16(const void *data, uint16_t n);

/* Receiving, a byte at a time; cheap enough for an interrupt handler. The buffer holds the message and its CRC, so cap is
 * the message limit + 2. */
typedef struct edg_slip {
    uint8_t *buf;
    uint16_t cap;
    uint16_t n;
    uint16_t crc;
    uint8_t state;
} edg_slip;

void edg_slip_init(edg_slip *s, uint8_t *buf, uint16_t cap);
/* Returns the message's length when `byte` ended a good one (in buf; valid until the next push), else 0. */
uint16_t edg_slip_push(edg_slip *s, uint8_t byte);
/* Sends END, the message, its CRC, END through put. */
void edg_slip_send(void (*put)(void *ctx, uint8_t byte), void *ctx, const uint8_t *msg, uint16_t n);

/* ---- a service: constant tables, in flash on AVR (EDG_PGM) ---- */

struct edg_device;

enum {
    EDG_LOG_EEPROM = 1, /* entries are kept in EEPROM, and survive power loss */
    EDG_LOG_POST = 2,   /* POST /l/NAME may append */
    EDG_LOG_FUNCTION = 4 /* the log of a function: not listed, appended to by calls only */
};

typedef struct edg_log_spec {
    const char *name;  /* in flash */
    uint8_t size;      /* bytes of an entry, 1..EDG_MAX_ENTRY */
    uint8_t capacity;  /* entries kept, 1..255 */
    uint8_t flags;
    uint16_t period;   /* ticks between entries that come by themselves; 0: none */
    /* Makes the next entry (size bytes); called by edg_device_poll every period. May be NULL without a period. */
    void (*sample)(struct edg_device *dev, uint8_t *entry);
} edg_log_spec;

/* Argument: format as in a BOUND constraint (bits 0-1 width 1, 2 or 4 bytes; bit 2 signed), big-endian. */
enum { EDG_ARG_U8 = 0, EDG_ARG_U16 = 1, EDG_ARG_U32 = 2, EDG_ARG_I8 = 4, EDG_ARG_I16 = 5, EDG_ARG_I32 = 6 };

typedef struct edg_function_spec {
    const char *name; /* in flash */
    uint8_t log;      /* index of its own log in the service's logs; entry size = argument width */
    uint8_t format;
    int32_t min, max;
    /* Runs after the argument was checked and appended. Returns the bytes of result (0..EDG_RESULT_MAX), or a negative enum. */
    int (*call)(struct edg_device *dev, const uint8_t *arg, uint8_t n, uint8_t *result);
} edg_function_spec;

enum { EDG_START_BOOT = 1, EDG_START_CLAIM = 2 };

typedef struct edg_service {
    const char *board;    /* in flash, "ATmega328P"; at most 14 bytes are told while claiming */
    const char *firmware; /* in flash, "greenhouse/1.0" */
    const edg_log_spec *logs;
    const edg_function_spec *functions;
    uint8_t log_count;
    uint8_t function_count;
    /* Bytes offset .. offset + room of what GET /.well-known/core answers; returns its whole length. edg_links_made makes it from the tables; where nothing
     * in it changes at run time, edg_links_text and the text itself cost 1 kB of flash less. */
    uint16_t (*links)(const struct edg_device *dev, uint16_t offset, uint8_t *out, uint16_t room);
    const char *text; /* in flash, for edg_links_text; else NULL */
    /* Logs are alive from now on: after a boot of a claimed device, or after a claim. May be NULL. */
    void (*start)(struct edg_device *dev, uint8_t cause);
    /* Called by every edg_device_poll while logs are alive. May be NULL. */
    void (*poll)(struct edg_device *dev);
} edg_service;

/* ---- the device; contents private ---- */

/* A token bucket (docs/spec/capability.md, Rates). */
typedef struct edg_bucket {
    uint8_t identity[8];
    uint32_t since; /* tick of the last period that is counted in */
    uint8_t tokens;
    uint8_t order; /* of use: 0 the bucket used least recently */
} edg_bucket;

/* What is small comes first: on AVR an offset of up to 63 costs nothing. */
typedef struct edg_slot {
    uint8_t first[5];    /* of its first part: branch, nonce; hint, epoch and generation are the device's as long as the slot lives */
    uint8_t body_len;    /* 0: slot is free; EDG_DIGEST: digest only */
    uint16_t branches;   /* bit of each branch that proves it */
    uint8_t entry;       /* of the ring, + 1: the cookie that opened it, as long as that can come again; else 0 */
    uint8_t young;       /* ticks left in which it cannot be evicted */
    uint8_t answer_code; /* of the newest request let through, 0: none kept */
    uint8_t answer_len;
    uint8_t tag[8];      /* of that request */
    uint32_t tick;       /* at which it was let through */
    uint32_t sequence; /* highest seen */
    uint32_t window;   /* bit i: sequence - i was seen */
    uint8_t places[EDG_CELLS + EDG_BUCKETS]; /* which frame (1..16 over all parts) has this cell, this bucket; 0: none */
    uint8_t answer[EDG_RESULT_MAX];
    uint8_t body[40]; /* the carried form without the first header, or its digest */
    edg_pads key;     /* session key */
} edg_slot;

typedef struct edg_log {
    uint32_t sequence; /* of the head; 0: nothing yet */
    uint8_t hash[16];  /* of the head */
    union {
        uint8_t base[16]; /* in RAM: the hash before the oldest entry kept */
        struct {
            uint32_t incarnation;
            uint32_t refilled; /* tick of the last refill of the write budget */
            uint8_t budget;
        } nv; /* in EEPROM */
    } u;
    uint16_t left; /* ticks to the next sample */
#if !EDG_FIXED_PERIODS
    uint16_t period; /* between samples */
#endif
    uint8_t count; /* entries kept */
    uint8_t newest; /* cell of the head */
} edg_log;

typedef struct edg_device {
    edg_sha256 sha; /* first: its block may ask for an alignment */
    edg_pads cookie; /* the cookie key of this boot */
#if EDG_KEEPS_PLATFORM
    const edg_platform *platform;
    const edg_service *service;
    void *user;
#endif
    uint32_t boot;
    uint32_t clock_unix, clock_tick; /* 0, 0: clock unknown */
    uint32_t now;                    /* tick of the message in hand; the times that count down have done so up to here */
    uint16_t last_left;              /* ticks for which the last message is still known */
    uint16_t last_sum, last_id, last_answer; /* deduplication of the last message; last_answer 0: none */
    uint16_t message_id;
    uint16_t polled; /* low half of the tick of the last poll */
    uint16_t closing; /* branches whose sessions end after this answer */
    uint8_t owner[6]; /* hint (4) | epoch u16, as headers have them */
    uint8_t flags;
    uint8_t mark_log;  /* the RAM log of which a hash is known */
    uint8_t mark_back; /* of which entry: so far behind the head; 255: of none any more */
    uint8_t mark[16];
    uint8_t ring_left[EDG_RING + EDG_RING_OWNER]; /* ticks for which the entry is needed; 0: free */
    uint8_t ring[EDG_RING + EDG_RING_OWNER][3]; /* of the cookie's MAC */
    edg_bucket buckets[EDG_BUCKETS];
    edg_slot slots[EDG_SLOTS];
    edg_log logs[EDG_LOGS];
    uint8_t store[EDG_LOG_STORE];
} edg_device;

/* Returns 1 if the service's tables fit the limits of edg_config.h and each other, else 0. edg_device_init calls it: the core may have been compiled with other
 * limits than the tables. */
int edg_service_fits(const edg_service *service);

/* Reads the EEPROM, raises the boot counter and reads it back. Call it before the link is enabled. EDG_OK even where the boot counter is lost (everything
 * protected is then refused with reason 16). After an error keep the link off: EDG_ERR_STORAGE, the EEPROM cannot be read; EDG_ERR_ARGUMENT, the service's
 * tables do not fit. Then the EEPROM is not read or written, and edg_device_handle answers nothing. */
int edg_device_init(edg_device *dev, const edg_platform *platform, const edg_service *service, void *user);

enum {
    EDG_LINK_LOCAL = 1, /* serial line, loopback or on-link peer: nobody to amplify towards */
    EDG_LINK_CLAIM = 2  /* a claim may come over it now (serial; local UDP within 10 minutes of a reset or button) */
};

#define EDG_OUT_MIN 128 /* smallest answer buffer that edg_device_handle accepts */

/* Takes one CoAP message and writes the answer; returns its length, 0: no answer. `out` must be the same buffer every time and be left
 * as it is in between; keys are made ready in it before the answer is. `in` is decrypted in place. They must not overlap. */
size_t edg_device_handle(edg_device *dev, uint8_t *in, size_t n, uint8_t *out, size_t cap, unsigned link_flags);

/* Periodic work: samples. Call it at least once a second (after an hour and a half of silence a sample may be missed); cheap when nothing is due. */
void edg_device_poll(edg_device *dev);

/* A device may tell its home node that a log grew by itself (wire.md, News): if one did since the last call, writes a message and returns its
 * length, else 0. It needs a buffer of its own, and is sent like an answer. */
#define EDG_NEWS_MAX 8
size_t edg_device_news(edg_device *dev, uint8_t out[EDG_NEWS_MAX]);

/* For services and ports. */
uint16_t edg_links_made(const edg_device *dev, uint16_t offset, uint8_t *out, uint16_t room);
uint16_t edg_links_text(const edg_device *dev, uint16_t offset, uint8_t *out, uint16_t room);
uint32_t edg_device_ticks(const edg_device *dev);
uint32_t edg_device_boot(const edg_device *dev);                               /* boot counter, 0: lost */
int edg_device_claimed(const edg_device *dev);                                 /* 1 or 0 */
uint32_t edg_device_unix(const edg_device *dev);                               /* 0: clock unknown */
uint32_t edg_device_head(const edg_device *dev, uint8_t log);                  /* sequence of the newest entry, 0: none */
int edg_device_append(edg_device *dev, uint8_t log, const uint8_t *entry);     /* size bytes; EDG_OK or a negative enum */
#if !EDG_FIXED_PERIODS
void edg_device_set_period(edg_device *dev, uint8_t log, uint16_t ticks);
#endif
/* Erases owner, logs and clock, and raises the claim count. The button. After an error everything protected and every claim is refused until an init.
 * EDG_ERR_ARGUMENT after an init that returned it; the EEPROM is then left as it was. */
int edg_device_factory_reset(edg_device *dev);

/* What a factory does: writes id and factory key into a blank EEPROM (all FF) and nothing else. Needs ~230 B of stack. */
int edg_factory_provision(const edg_platform *platform, const uint8_t id[4], const uint8_t seed[16]);

#endif
