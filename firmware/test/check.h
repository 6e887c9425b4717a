/* Checks that print and count, and the list of tests. */
#ifndef EDG_TEST_CHECK_H
#define EDG_TEST_CHECK_H

#include <stdio.h>

extern unsigned long check_failures, check_count;

#define CHECK(what)                                                                              \
    do {                                                                                         \
        check_count++;                                                                           \
        if (!(what)) {                                                                           \
            check_failures++;                                                                    \
            (void)fprintf(stderr, "FAIL %s:%d: %s\n", __FILE__, __LINE__, #what);                \
        }                                                                                        \
    } while (0)

#define CHECK_EQ(got, want)                                                                      \
    do {                                                                                         \
        long check_got = (long)(got), check_want = (long)(want);                                 \
        check_count++;                                                                           \
        if (check_got != check_want) {                                                           \
            check_failures++;                                                                    \
            (void)fprintf(stderr, "FAIL %s:%d: %s = %ld, want %ld\n", __FILE__, __LINE__, #got, check_got, check_want); \
        }                                                                                        \
    } while (0)

void test_hash(void);
void test_line(void);
void test_coap(void);
void test_storage(void);
void test_cells(void);
void test_claim(void);
void test_device(void);
void test_logs(void);
void test_owner(void);
void test_policy(void);
void test_posix(void);
void test_net(void);
void test_program(void);

#endif
