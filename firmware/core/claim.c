#include "edg_int.h"

/* docs/spec/claim.md. Between the two messages nothing is kept: the device knows its nonce again by the MAC in it. */

enum { FIRST = 1, SECOND = 2, FIRST_LEN = 33, SECOND_LEN = 53, NONCE = 16, CONFIRM = 16, BOARD = 14 };
#define FACTORY_MAGIC 0xE5F1u
enum { AT_ID = 2, AT_SECRET = 6, AT_CRC = 38 };

/* id, and Kf into dev->key, out of the factory record. */
static uint8_t factory(edg_device *dev, uint8_t id[4])
{
    uint8_t magic[2];

    if (edg_nv_read(dev, EDG_NV_FACTORY, magic, sizeof magic) != EDG_OK)
        return EDG_R_STORAGE;
    if (edg_load16(magic) != FACTORY_MAGIC)
        return EDG_R_CLAIM_CLOSED; /* never provisioned */
    if (edg_nv_check(dev, EDG_NV_FACTORY, AT_CRC) != 1 || edg_nv_read(dev, EDG_NV_FACTORY + AT_ID, id, 4) != EDG_OK ||
        edg_nv_read(dev, EDG_NV_FACTORY + AT_SECRET, dev->key, EDG_KEY) != EDG_OK)
        return EDG_R_STORAGE;
    return 0;
}

/* dev->mac = H(Kf, CLAIMNONCE | boot | tick | count | owner nonce); Kf is dev->key */
static void nonce_mac(edg_device *dev, uint32_t tick, uint16_t count, const uint8_t *owner_nonce)
{
    edg_mac_begin(dev, dev->key, EDG_LABEL_CLAIM_NONCE);
    edg_mac_put32(dev, dev->boot);
    edg_mac_put32(dev, tick);
    edg_mac_put16(dev, count);
    edg_mac_put(dev, owner_nonce, NONCE);
    edg_mac_end(dev, dev->key, dev->mac);
}

/* dev->mac = H(Ke, label | hint | owner nonce | device nonce), which stand in a row in the second message; Ke is dev->key */
static void confirm(edg_device *dev, uint8_t label, const uint8_t *hint)
{
    edg_mac_begin(dev, dev->key, label);
    edg_mac_put(dev, hint, 4 + 2 * NONCE);
    edg_mac_end(dev, dev->key, dev->mac);
}

static uint8_t begin(edg_device *dev, const uint8_t *in, uint16_t count, const uint8_t *id, uint8_t *out, uint16_t *n, uint32_t now)
{
    const char *board;
    uint8_t i;

    if (memcmp(in + 1, id, 4) != 0)
        return EDG_R_EPOCH;
    nonce_mac(dev, now, count, in + 5);
    out[0] = FIRST;
    edg_store16(out + 1, count);
    edg_store32(out + 3, dev->boot);
    edg_store32(out + 7, now);
    memcpy(out + 11, dev->mac, 8);
    edg_pgm_copy(&board, &dev->service->board, sizeof board);
    for (i = 0; i < BOARD && edg_pgm_u8(board + i) != 0; i++)
        out[19 + i] = edg_pgm_u8(board + i);
    *n = (uint16_t)(19 + i);
    return 0;
}

/* The owner has confirmed: is the confirmation right, and is it for us? dev->key holds Ke. */
static int confirmed(edg_device *dev, const uint8_t *in)
{
    confirm(dev, EDG_LABEL_CONFIRM_OWNER, in + 1);
    return edg_same(dev->mac, in + 1 + 4 + 2 * NONCE, CONFIRM);
}

static uint8_t finish(edg_device *dev, const uint8_t *in, uint16_t count, const uint8_t *id, uint32_t now)
{
    const uint8_t *owner_nonce = in + 5, *device_nonce = owner_nonce + NONCE;
    uint32_t tick = edg_load32(device_nonce + 4);

    if (edg_load32(device_nonce) != dev->boot || tick > now || now - tick > EDG_COOKIE_TICKS)
        return EDG_R_COOKIE;
    nonce_mac(dev, tick, count, owner_nonce);
    if (!edg_same(dev->mac, device_nonce + 8, 8))
        return EDG_R_COOKIE;
    edg_mac_begin(dev, dev->key, EDG_LABEL_CLAIM);
    edg_mac_put(dev, id, 4);
    edg_mac_put(dev, owner_nonce, 2 * NONCE);
    edg_mac_put16(dev, count);
    edg_mac_end(dev, dev->key, dev->key); /* Ke of epoch 1 */
    if (!confirmed(dev, in))
        return EDG_R_TAG;
    if (edg_past_erase(dev) != EDG_OK || edg_owner_write(dev, in + 1) != EDG_OK || edg_owner_load(dev) != EDG_OK || edg_cookie_key(dev) != EDG_OK)
        return EDG_R_STORAGE;
    edg_device_start(dev, EDG_START_CLAIM);
    return 0;
}

static uint8_t answer(edg_device *dev, const edg_request *r, uint8_t *out, uint16_t *n, uint32_t now)
{
    const uint8_t *in = r->m.payload;
    uint8_t first = r->m.payload_len == FIRST_LEN && in[0] == FIRST;
    uint32_t count = 0;
    uint8_t slot, reason;
    uint8_t id[4];

    if (!first && !(r->m.payload_len == SECOND_LEN && in[0] == SECOND))
        return EDG_R_MALFORMED;
    for (slot = 5 + NONCE; first && slot < FIRST_LEN; slot++)
        if (in[slot] != 0)
            return EDG_R_MALFORMED;
    if (dev->flags & EDG_CLAIMED) {
        /* Only the message that claimed it is answered again, so a lost answer loses nothing. */
        if (first || memcmp(in + 1, dev->hint, sizeof dev->hint) != 0)
            return EDG_R_CLAIM_CLOSED;
        if (edg_owner_key(dev, dev->key) != EDG_OK)
            return EDG_R_STORAGE;
        if (!confirmed(dev, in))
            return EDG_R_CLAIM_CLOSED;
    } else {
        if (edg_counter_read(dev, EDG_NV_COUNT, EDG_COUNT_SLOTS, &count, &slot) < 0)
            return EDG_R_STORAGE;
        reason = factory(dev, id);
        if (reason == 0)
            reason = first ? begin(dev, in, (uint16_t)count, id, out, n, now) : finish(dev, in, (uint16_t)count, id, now);
        if (reason != 0 || first)
            return reason;
        if (edg_owner_key(dev, dev->key) != EDG_OK)
            return EDG_R_STORAGE;
    }
    confirm(dev, EDG_LABEL_CONFIRM_DEVICE, in + 1);
    out[0] = SECOND;
    memcpy(out + 1, dev->mac, CONFIRM);
    *n = 1 + CONFIRM;
    return 0;
}

uint8_t edg_claim(edg_device *dev, const edg_request *r, unsigned link_flags, uint8_t *out, uint16_t room, uint16_t *n, uint32_t now)
{
    uint8_t reason;

    if (!(link_flags & EDG_LINK_CLAIM))
        return EDG_R_CLAIM_CLOSED;
    if (dev->flags & EDG_BOOT_LOST)
        return EDG_R_BOOT_LOST;
    if (room < FIRST_LEN)
        return EDG_R_TOO_LARGE;
    reason = answer(dev, r, out, n, now);
    edg_wipe(dev->key, EDG_KEY);
    return reason;
}
