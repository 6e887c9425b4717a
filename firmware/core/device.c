#include "edg_int.h"

/* The newest valid counter + 1 into the next slot, read back. A claimed device without one is one whose past cannot be told from its present: the
 * boot counter is lost. */
static int8_t count_boot(edg_device *dev)
{
    uint32_t value;
    int8_t found = edg_counter_read(dev, EDG_NV_BOOT, EDG_BOOT_SLOTS, &value);

    if (found < 0)
        return found;
    if ((!found && (dev->flags & EDG_CLAIMED)) || value == 0xFFFFFFFFUL ||
        edg_counter_write(dev, EDG_NV_BOOT, EDG_BOOT_SLOTS, value + 1) != EDG_OK)
        dev->flags |= EDG_BOOT_LOST;
    else
        dev->boot = value + 1;
    return EDG_OK;
}

int edg_device_init(edg_device *dev, const edg_platform *platform, const edg_service *service, void *user)
{
    int8_t err;

    memset(dev, 0, sizeof *dev);
#if EDG_KEEPS_PLATFORM
    dev->platform = platform;
    dev->service = service;
    dev->user = user;
#else
    (void)platform;
    (void)service;
    (void)user;
#endif
    dev->mark_log = 0xFF;
    if (!edg_service_fits(EDG_SERVICE(dev))) {
        dev->flags = EDG_UNFIT;
        return EDG_ERR_ARGUMENT;
    }
    err = edg_owner_load(dev);
    if (err == EDG_OK)
        err = count_boot(dev);
    if (err == EDG_OK && (dev->flags & (EDG_CLAIMED | EDG_BOOT_LOST)) == EDG_CLAIMED) {
        err = edg_cookie_key(dev);
        if (err == EDG_OK)
            edg_device_start(dev, EDG_START_BOOT);
    }
    return err;
}

void edg_device_start(edg_device *dev, uint8_t cause)
{
    void (*start)(edg_device *, uint8_t) = edg_pgm_pointer(void (*)(edg_device *, uint8_t), &EDG_SERVICE(dev)->start);

    (void)edg_logs_init(dev); /* a cell that cannot be read ends what is kept, not the device */
    if (start != NULL)
        start(dev, cause);
}

EDG_APART void edg_device_poll(edg_device *dev)
{
    void (*poll)(edg_device *) = edg_pgm_pointer(void (*)(edg_device *), &EDG_SERVICE(dev)->poll);
    uint16_t now = (uint16_t)edg_device_ticks(dev), passed = (uint16_t)(now - dev->polled);
    edg_log_spec spec;
    uint8_t entry[EDG_MAX_ENTRY];
    uint8_t i;

    dev->polled = now;
    if ((dev->flags & (EDG_CLAIMED | EDG_BOOT_LOST)) != EDG_CLAIMED)
        return;
    for (i = 0; i < edg_pgm_u8(&EDG_SERVICE(dev)->log_count); i++) {
        edg_log *l = edg_log_at(dev, i);
        uint16_t period;

        edg_log_spec_get(dev, i, &spec);
#if EDG_FIXED_PERIODS
        period = spec.period;
#else
        period = l->period;
#endif
        if (l->left > passed) {
            l->left = (uint16_t)(l->left - passed);
            continue;
        }
        if (period == 0)
            continue;
        l->left = (uint16_t)(l->left - passed + period);
        if (l->left == 0 || l->left > period) /* a period late: no catching up */
            l->left = period;
        spec.sample(dev, entry);
        (void)edg_device_append(dev, i, entry);
    }
    if (poll != NULL)
        poll(dev);
}

size_t edg_device_news(edg_device *dev, uint8_t out[EDG_NEWS_MAX])
{
    if (!(dev->flags & EDG_GREW))
        return 0;
    dev->flags &= (uint8_t)~EDG_GREW;
    out[0] = 0x40 | (EDG_NON << 4);
    out[1] = EDG_POST;
    edg_store16(out + 2, ++dev->message_id);
    out[4] = (EDG_OPT_URI_PATH << 4) | 1;
    out[5] = 'u';
    return 6;
}

uint32_t edg_device_head(const edg_device *dev, uint8_t log) { return dev->logs[log].sequence; }
