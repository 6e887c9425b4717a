#include "check.h"

unsigned long check_failures, check_count;

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {
        {"hash", test_hash},   {"line", test_line},     {"coap", test_coap}, {"storage", test_storage}, {"cells", test_cells},
        {"claim", test_claim}, {"device", test_device}, {"logs", test_logs}, {"owner", test_owner},
        {"policy", test_policy}, {"posix", test_posix},
        {"net", test_net},     {"program", test_program},
    };
    unsigned long before = 0;
    unsigned i;

    for (i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        before = check_failures;
        tests[i].run();
        printf("%-8s %s\n", tests[i].name, check_failures == before ? "ok" : "FAILED");
    }
    printf("core: %lu checks, %lu failures\n", check_count, check_failures);
    return check_failures > 0;
}
