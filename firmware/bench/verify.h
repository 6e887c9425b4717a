/* Verifying a capability and one request under it with nothing kept but its branch's key: no session, no cookie. */
#ifndef EDG_BENCH_VERIFY_H
#define EDG_BENCH_VERIFY_H

#include "../core/edg_int.h"

/* What is kept: the branch key of a header made ready, from the epoch key. */
void bench_branch_key(edg_device *desk, const uint8_t ke[EDG_KEY], const uint8_t *header, edg_pads *kb);
/* The request's tag, in edg_digest: from the branch key k0, k1 and so on along r->carried, then the tag. */
void bench_tag(edg_device *desk, const edg_pads *kb, const edg_request *r);
/* A request in the form of a session's, under the key of a capability that came before it: parses both, checks chain and tag, evaluates every
 * frame; 1 if the request may act. */
int bench_verify(edg_device *desk, const edg_pads *kb, const uint8_t *carried, uint8_t carried_len, uint8_t *in, uint16_t n);

#endif
