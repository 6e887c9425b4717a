#include "bench.h"
#include "check.h"

static int parse(const char *hex, edg_coap *m)
{
    static uint8_t b[512];
    long n = bench_hex(hex, b, sizeof b);
    uint8_t *exact = b + sizeof b - n; /* against the end of the array, so that the sanitizer sees a byte read too far */

    memmove(exact, b, (size_t)n);
    return edg_coap_parse(m, exact, (uint16_t)n);
}

static uint8_t read_request(const char *hex, edg_request *r)
{
    CHECK_EQ(parse(hex, &r->m), EDG_OK);
    return edg_request_read(r);
}

static void messages(void)
{
    static const char *bad[] = {
        "",           "40",         "400101",     "00010001",     /* short, version 0 */
        "49010001",   "4f010001",   "48010001",   "4801000101020304050607", /* token length 9, 15; token cut off */
        "40010001ff", "4001000100ff", "40010001f0", "400100010f",  /* marker without payload, nibble 15 */
        "40010001d0", "40010001e0", "40010001e000", "400100010d",  /* extension cut off */
        "4001000101", "40010001b3616c", "400100010d00",            /* value cut off */
        "40010001e0ffff", "40010001e0fef3", "40010001e0fef210",    /* number beyond 65535, the last by a second option */
        "4000000101", "4000000100",                                /* an empty message with a body */
    };
    edg_coap m;
    edg_option o;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_count++;
        if (parse(bad[i], &m) != EDG_ERR_MALFORMED) {
            check_failures++;
            (void)fprintf(stderr, "FAIL parse(%s) is accepted\n", bad[i]);
        }
    }
    CHECK_EQ(parse("40000001", &m), EDG_OK);
    CHECK_EQ(parse("48010001" "0102030405060708", &m), EDG_OK);
    CHECK_EQ(m.token_len, 8);
    CHECK_EQ(m.payload_len, 0);
    CHECK_EQ(parse("52021234" "abcd" "b166" "0576616c7665" "ff14", &m), EDG_OK);
    CHECK_EQ(m.type, EDG_NON);
    CHECK_EQ(m.id, 0x1234);
    CHECK_EQ(m.payload_len, 1);
    CHECK_EQ(m.payload[0], 0x14);
    edg_option_first(&o, m.options, m.options_len);
    CHECK_EQ(edg_option_next(&o), 1);
    CHECK_EQ(o.number, 11);
    CHECK_EQ(edg_option_next(&o), 1);
    CHECK_EQ(o.number, 11);
    CHECK_EQ(o.len, 5);
    CHECK_EQ(edg_option_next(&o), 0);
    /* Deltas and lengths of every form: 11, 12 + 13 (13 + 0), 269 (14 + 0). */
    CHECK_EQ(parse("40010001" "b0" "d000" "e00000" "edfb9400" "01020304050607080910111213", &m), EDG_OK);
    edg_option_first(&o, m.options, m.options_len);
    (void)edg_option_next(&o);
    (void)edg_option_next(&o);
    CHECK_EQ(o.number, 24);
    (void)edg_option_next(&o);
    CHECK_EQ(o.number, 293);
    CHECK_EQ(edg_option_next(&o), 1);
    CHECK_EQ(o.number, 293 + 0xfb94 + 269);
    CHECK_EQ(o.len, 13);
}

#define GET "40010001"
#define POST "40020001"
#define L_X "b16c" "0178"

static void requests(void)
{
    edg_request r;

    CHECK_EQ(read_request(GET L_X, &r), 0);
    CHECK_EQ(r.at, EDG_AT_LOG);
    CHECK_EQ(r.op, EDG_READ);
    CHECK_EQ(r.name_len, 1);
    CHECK_EQ(read_request(GET "60" "516c" "0178", &r), 0); /* Observe, empty: register */
    CHECK_EQ(r.op, EDG_OBSERVE);
    CHECK_EQ(read_request(GET "6102" "516c" "0178", &r), EDG_R_OPTION);
    CHECK_EQ(read_request(GET "6100" "0100" "516c" "0178", &r), EDG_R_MALFORMED); /* twice */
    CHECK_EQ(read_request(POST "b166" "0178", &r), 0);
    CHECK_EQ(r.op, EDG_CALL);
    CHECK_EQ(read_request(POST "b168", &r), 0);
    CHECK_EQ(r.at, EDG_AT_HELLO);
    CHECK_EQ(read_request(POST "b16b", &r), 0);
    CHECK_EQ(r.at, EDG_AT_CLAIM);
    CHECK_EQ(read_request(POST "b174", &r), 0);
    CHECK_EQ(r.op, EDG_TIME);
    CHECK_EQ(read_request(POST "b167", &r), 0);
    CHECK_EQ(r.op, EDG_MANAGE);
    CHECK_EQ(read_request("40030001" L_X, &r), 0); /* PUT */
    CHECK_EQ(r.target, EDG_R_METHOD);
    CHECK_EQ(read_request(GET "bb2e77656c6c2d6b6e6f776e" "04636f7265", &r), 0);
    CHECK_EQ(r.at, EDG_AT_CORE);
    CHECK_EQ(read_request(GET "bb2e77656c6c2d6b6e6f776e" "03636f72", &r), 0);
    CHECK_EQ(r.target, EDG_R_NOT_FOUND);
    CHECK_EQ(read_request(GET "b16c" "022e78", &r), 0); /* a name may not start with a dot */
    CHECK_EQ(r.target, EDG_R_NOT_FOUND);
    CHECK_EQ(read_request(GET "b16c" "0158", &r), 0); /* nor have capitals */
    CHECK_EQ(r.target, EDG_R_NOT_FOUND);
    CHECK_EQ(read_request(GET "b16c" "0178" "0178" "0178", &r), EDG_R_MALFORMED); /* 4 segments */
    CHECK_EQ(read_request(GET "bd13" "6161616161616161616161616161616161616161616161616161616161616161", &r), EDG_R_MALFORMED); /* 32 bytes */

    CHECK_EQ(read_request(GET L_X "43733d34", &r), 0);
    CHECK_EQ(r.query, EDG_Q_FROM);
    CHECK_EQ(r.from, 4);
    CHECK_EQ(read_request(GET L_X "45613d372e30" "056e3d323535", &r), 0);
    CHECK_EQ(r.incarnation, 7);
    CHECK_EQ(r.from, 0);
    CHECK_EQ(r.count, 255);
    CHECK_EQ(read_request(GET L_X "4c733d34323934393637323935", &r), 0);
    CHECK_EQ(r.from, 0xFFFFFFFFUL);
    CHECK_EQ(read_request(GET L_X "4c733d34323934393637323936", &r), EDG_R_OPTION); /* 2^32 */
    CHECK_EQ(read_request(GET L_X "44733d3034", &r), EDG_R_OPTION);                 /* 04 */
    CHECK_EQ(read_request(GET L_X "43733d30", &r), EDG_R_OPTION);                   /* from 0 */
    CHECK_EQ(read_request(GET L_X "42733d", &r), EDG_R_OPTION);
    CHECK_EQ(read_request(GET L_X "44733d3478", &r), EDG_R_OPTION);
    CHECK_EQ(read_request(GET L_X "43733d34" "03733d34", &r), EDG_R_OPTION); /* twice */
    CHECK_EQ(read_request(GET L_X "43733d34" "05613d372e30", &r), EDG_R_OPTION);
    CHECK_EQ(read_request(GET L_X "436e3d34", &r), EDG_R_OPTION); /* n alone */
    CHECK_EQ(read_request(GET L_X "46733d34" "006e3d323536", &r), EDG_R_OPTION);
    CHECK_EQ(read_request(GET L_X "43783d34", &r), EDG_R_OPTION);
    CHECK_EQ(read_request(POST L_X "43733d34", &r), EDG_R_OPTION);

    CHECK_EQ(read_request(GET "3161" "81" "6c0178", &r), 0);                 /* Uri-Host says nothing to a device */
    CHECK_EQ(read_request(GET "30" "816c" "0178", &r), EDG_R_MALFORMED);     /* but may not be empty */
    CHECK_EQ(read_request(GET "916c", &r), EDG_R_OPTION);                    /* 9: critical, unknown */
    CHECK_EQ(read_request(GET "a16c", &r), 0);                               /* 10: elective */
    CHECK_EQ(read_request(GET "d11661", &r), EDG_R_OPTION);                  /* Proxy-Uri */
    CHECK_EQ(read_request(GET L_X "e0fcd1", &r), EDG_R_MALFORMED);           /* 65001, empty: 11 + 269 + 64721 */
}

/* More than 32 options are refused, 32 are not. */
static void many(void)
{
    uint8_t b[64] = {0x40, EDG_GET, 0, 1};
    edg_request r;
    uint8_t n;

    b[4] = 0xA0;
    memset(b + 5, 0, sizeof b - 5);
    for (n = 31; n < 35; n++) {
        CHECK_EQ(edg_coap_parse(&r.m, b, (uint16_t)(4 + n)), EDG_OK);
        CHECK_EQ(edg_request_read(&r), n <= 32 ? 0 : EDG_R_MALFORMED);
    }
}

void test_coap(void)
{
    messages();
    requests();
    many();
}
