#include "mark.h"

/* Not inlined, not cloned, not merged with its equals (-fno-ipa-icf), nor seen through by the linker (no -flto here). */
#define MARK(name)                                                 \
    __attribute__((noinline, used)) void edg_mark_##name(void) \
    {                                                              \
        __asm__ volatile("");                                      \
    }

MARK(sign)
MARK(hmac128)
MARK(sha256)
MARK(verify2)
MARK(hello)
MARK(open2)
MARK(session_request)
MARK(verdict)
MARK(rsa2048_sign)
MARK(rsa2048_verify)
MARK(p256_sign)
MARK(p256_verify)
MARK(end)
MARK(failed)
