#include "../port/posix/eeprom.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The state file of the POSIX device. */
void test_posix(void)
{
    static eeprom a, b;
    static const edg_setup_code code = {{1, 2, 3, 4}, {5}}, other = {{1, 2, 3, 5}, {5}};
    char dir[] = "/tmp/edg-test-XXXXXX", path[64];
    const char *why = NULL;
    struct stat st;
    uint8_t byte = 7;

    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(path, sizeof path, "%s/state", dir);
    CHECK_EQ(eeprom_open(&a, path, NULL, &why), -1); /* a new one needs the code, and none is left behind */
    CHECK(access(path, F_OK) != 0);
    CHECK_EQ(eeprom_open(&a, path, &code, &why), 0);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600 && st.st_size == EDG_NV_SIZE);
    CHECK_EQ(eeprom_open(&b, path, NULL, &why), -1); /* one process at a time */
    CHECK_EQ(eeprom_write(&a, EDG_NV_SIZE - 1, &byte, 1), EDG_OK);
    CHECK_EQ(eeprom_write(&a, EDG_NV_SIZE, &byte, 1), EDG_ERR_STORAGE);
    CHECK_EQ(eeprom_read(&a, EDG_NV_SIZE - 1, &byte, 2), EDG_ERR_STORAGE);
    CHECK_EQ(eeprom_read(&a, 0xFFFF, &byte, 1), EDG_ERR_STORAGE);
    CHECK_EQ(eeprom_sync(&a), 0);
    eeprom_close(&a);
    CHECK_EQ(eeprom_open(&a, path, &other, &why), -1);
    CHECK_EQ(eeprom_open(&a, path, &code, &why), 0);
    byte = 0;
    CHECK_EQ(eeprom_read(&a, EDG_NV_SIZE - 1, &byte, 1), EDG_OK);
    CHECK_EQ(byte, 7);
    eeprom_close(&a);
    CHECK_EQ(eeprom_open(&a, path, NULL, &why), 0);
    eeprom_close(&a);
    CHECK_EQ(truncate(path, EDG_NV_SIZE - 1), 0);
    CHECK_EQ(eeprom_open(&a, path, &code, &why), -1);
    CHECK(access(path, F_OK) == 0); /* refused, not lost */
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(rmdir(dir), 0);
}
