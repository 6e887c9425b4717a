#include "bench.h"
#include "check.h"

static void sha(const char *message, size_t repeat, const char *want)
{
    edg_sha256 s;
    uint8_t sum[32], expected[32];
    size_t n = strlen(message), i;

    edg_sha256_init(&s);
    for (i = 0; i < repeat; i++)
        edg_sha256_update(&s, message, (uint16_t)n);
    edg_sha256_final(&s, sum);
    CHECK_EQ(bench_hex(want, expected, 32), 32);
    CHECK(memcmp(sum, expected, 32) == 0);
}

static void hmac(const char *key_hex, const char *data_hex, const char *want)
{
    edg_sha256 s;
    uint8_t key[64], data[256], expected[32], sum[32];
    long k = bench_hex(key_hex, key, sizeof key), n = bench_hex(data_hex, data, sizeof data), at;

    CHECK_EQ(bench_hex(want, expected, 32), 32);
    edg_hmac_init(&s, key, (uint8_t)k);
    edg_sha256_update(&s, data, (uint16_t)n);
    edg_hmac_final(&s, key, (uint8_t)k, sum);
    CHECK(memcmp(sum, expected, 32) == 0);
    /* A byte at a time. */
    edg_hmac_init(&s, key, (uint8_t)k);
    for (at = 0; at < n; at++)
        edg_sha256_update(&s, data + at, 1);
    memset(sum, 0, sizeof sum);
    edg_hmac_final(&s, key, (uint8_t)k, sum);
    CHECK(memcmp(sum, expected, 32) == 0);
}

void test_hash(void)
{
    /* FIPS 180-4 examples, and lengths around the block. */
    sha("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    sha("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 1,
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    sha("a", 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    sha("a", 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
    sha("a", 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    sha("a", 65000, "1419adb6571361924845fdf723b8b5326834419def768fba564ee6e887451c68");
    /* RFC 4231, cases 1 to 4. */
    hmac("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hmac("4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    hmac("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    hmac("0102030405060708090a0b0c0d0e0f10111213141516171819",
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
}
