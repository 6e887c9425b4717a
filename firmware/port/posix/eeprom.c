#include "eeprom.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FACTORY_RECORD = 40 };

int eeprom_read(void *ctx, uint16_t addr, void *dst, uint16_t n)
{
    eeprom *e = ctx;

    if (addr > sizeof e->bytes || n > sizeof e->bytes - addr)
        return EDG_ERR_STORAGE;
    memcpy(dst, e->bytes + addr, n);
    return EDG_OK;
}

int eeprom_write(void *ctx, uint16_t addr, const void *src, uint16_t n)
{
    eeprom *e = ctx;
    ssize_t done;

    if (addr > sizeof e->bytes || n > sizeof e->bytes - addr)
        return EDG_ERR_STORAGE;
    if (memcmp(e->bytes + addr, src, n) == 0)
        return EDG_OK;
    do
        done = pwrite(e->fd, src, n, addr);
    while (done < 0 && errno == EINTR);
    if (done != (ssize_t)n)
        return EDG_ERR_STORAGE;
    memcpy(e->bytes + addr, src, n);
    e->dirty = 1;
    return EDG_OK;
}

int eeprom_sync(eeprom *e)
{
    if (!e->dirty)
        return 0;
    if (fdatasync(e->fd) != 0)
        return -1;
    e->dirty = 0;
    return 0;
}

/* The factory record that `code` gives, in a memory of its own. */
static int factory_write(void *ctx, uint16_t addr, const void *src, uint16_t n)
{
    if (addr != EDG_NV_BASE || n != FACTORY_RECORD)
        return EDG_ERR_STORAGE;
    memcpy(ctx, src, n);
    return EDG_OK;
}

static int provision(eeprom *e, const edg_setup_code *code)
{
    edg_platform p = {e, NULL, eeprom_read, eeprom_write};

    memset(e->bytes, 0xFF, sizeof e->bytes);
    if (pwrite(e->fd, e->bytes, sizeof e->bytes, 0) != (ssize_t)sizeof e->bytes)
        return -1;
    e->dirty = 1;
    return edg_factory_provision(&p, code->id, code->seed) == EDG_OK ? eeprom_sync(e) : -1;
}

static int matches(const eeprom *e, const edg_setup_code *code)
{
    uint8_t record[FACTORY_RECORD];
    edg_platform p = {record, NULL, NULL, factory_write};

    return edg_factory_provision(&p, code->id, code->seed) == EDG_OK && memcmp(e->bytes + EDG_NV_BASE, record, sizeof record) == 0;
}

int eeprom_open(eeprom *e, const char *path, const edg_setup_code *code, const char **why)
{
    ssize_t n;

    e->dirty = 0;
    e->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->fd < 0) {
        *why = strerror(errno);
        return -1;
    }
    *why = "another device is using it";
    if (flock(e->fd, LOCK_EX | LOCK_NB) != 0)
        goto fail;
    n = pread(e->fd, e->bytes, sizeof e->bytes, 0);
    if (n == 0) {
        *why = "it is new, so it needs the device's setup code (--setup EDGDEV1-...)";
        if (code == NULL)
            goto fail_new;
        *why = "cannot write it";
        if (provision(e, code) != 0)
            goto fail_new;
        return 0;
    }
    *why = "it is not the state of a device (wrong size)";
    if (n != (ssize_t)sizeof e->bytes)
        goto fail;
    *why = "it belongs to another device than the setup code";
    if (code != NULL && !matches(e, code))
        goto fail;
    return 0;

fail_new:
    (void)unlink(path);
fail:
    (void)close(e->fd);
    return -1;
}

void eeprom_close(eeprom *e)
{
    (void)eeprom_sync(e);
    (void)close(e->fd);
}
