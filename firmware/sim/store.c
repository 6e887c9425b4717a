#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chip.h"

int sim_store_open(struct sim_store *s, const char *path, uint8_t *bytes, bool *fresh)
{
    struct stat st;
    s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->fd < 0 || fstat(s->fd, &st) != 0) {
        fprintf(stderr, "edg-sim: --eeprom %s: %s\n", path, strerror(errno));
        return -1;
    }
    if (flock(s->fd, LOCK_EX | LOCK_NB) != 0) {
        fprintf(stderr, "edg-sim: --eeprom %s is in use by another simulator\n", path);
        return -1;
    }
    *fresh = st.st_size == 0;
    if (*fresh) {
        memset(bytes, 0xff, SIM_EEPROM_BYTES);
        return 0;
    }
    if (st.st_size != (off_t)SIM_EEPROM_BYTES) {
        fprintf(stderr, "edg-sim: --eeprom %s has %lld bytes, an ATmega328P has %u\n", path, (long long)st.st_size,
                SIM_EEPROM_BYTES);
        return -1;
    }
    if (pread(s->fd, bytes, SIM_EEPROM_BYTES, 0) != (ssize_t)SIM_EEPROM_BYTES) {
        fprintf(stderr, "edg-sim: read --eeprom %s: %s\n", path, strerror(errno));
        return -1;
    }
    return 0;
}

int sim_store_fill(struct sim_store *s, const uint8_t *bytes)
{
    return pwrite(s->fd, bytes, SIM_EEPROM_BYTES, 0) == (ssize_t)SIM_EEPROM_BYTES ? 0 : -1;
}

int sim_store_put(struct sim_store *s, uint16_t address, uint8_t value)
{
    return pwrite(s->fd, &value, 1, address) == 1 ? 0 : -1;
}

void sim_store_close(struct sim_store *s)
{
    if (s->fd >= 0) {
        close(s->fd);
        s->fd = -1;
    }
}
