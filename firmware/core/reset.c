#include "edg_int.h"

int8_t edg_past_erase(const edg_device *dev)
{
    int8_t err = edg_counter_erase(dev, EDG_NV_CLOCK, EDG_CLOCK_SLOTS);

    return err == EDG_OK ? edg_nv_fill(dev, EDG_NV_CELLS, 0xFF, EDG_NV_BASE + EDG_NV_SIZE - EDG_NV_CELLS) : err; /* counts, and entries of logs */
}

/* The claim count rises first: whatever power loss leaves, an old recording of a claim is worth nothing. What it leaves of the logs and the clock, the
 * next claim erases. The boot counter is raised by the init, so that no log of the next owner has an incarnation of this one. Whatever fails, the device
 * serves nobody and cannot be claimed until an init succeeds. */
int edg_device_factory_reset(edg_device *dev)
{
    uint32_t count;
    int err;

    if (dev->flags & EDG_UNFIT)
        return EDG_ERR_ARGUMENT;
    dev->last_answer = 0;
    edg_wipe(dev->slots, sizeof dev->slots);
    edg_wipe(&dev->cookie, sizeof dev->cookie);
    edg_wipe(&dev->sha, sizeof dev->sha);
    err = edg_counter_read(dev, EDG_NV_COUNT, EDG_COUNT_SLOTS, &count);
    if (err >= 0)
        err = edg_counter_write(dev, EDG_NV_COUNT, EDG_COUNT_SLOTS, count + 1);
    if (err == EDG_OK)
        err = edg_owner_erase(dev);
    if (err == EDG_OK)
        err = edg_past_erase(dev);
    if (err == EDG_OK)
        err = edg_device_init(dev, EDG_PLATFORM(dev), EDG_SERVICE(dev), EDG_USER(dev));
    if (err != EDG_OK)
        dev->flags = EDG_BOOT_LOST;
    return err;
}
