/* The capability protocol as Horn clauses (TPTP CNF, after the C preprocessor), for a first-order prover: the translation that ProVerif makes of such a
 * protocol (Weidenbach 1999, Blanchet 2001). att(X): the attacker, who is the network, can know X. He hashes, pairs and takes pairs apart; callers
 * and the device answer whatever he sends, any number of times, in any number of sessions. If the clauses saturate without a contradiction, no attack
 * exists, of any length; if the goal is derived, the derivation is the attack (or a false alarm: a clause forgets how often it may be used, so what
 * depends on happening once is session.pml's).
 *
 * h(key, x) is HMAC, untruncated; a nonce is a function of the session. Constants beginning with l are labels. Goals: -DGOAL_name. Mutants:
 * ONE_LABEL UNBOUND_REQUEST UNBOUND_RESPONSE FRAME_NOT_CHAINED FIRST_FRAME_ONLY GENERATION_NOT_KEYED RATCHET_WITHOUT_R NEXT_IS_XOR PAD_IS_TAG
 * PAD_OF_CAPABILITY VID_UNMASKED MASK_IS_KEY UNBOUND_DISCHARGE UNBOUND_FRAME DISCHARGE_IS_FRAME JOIN_FIRST_ONLY JOIN_LAST_ONLY. */

cnf(hash, axiom, ~att(K) | ~att(X) | att(h(K, X))).
cnf(pair, axiom, ~att(X) | ~att(Y) | att(p(X, Y))).
cnf(left, axiom, ~att(p(X, Y)) | att(X)).
cnf(right, axiom, ~att(p(X, Y)) | att(Y)).
/* What is masked with a key as long as itself: either gives the other. No more of XOR than that. */
cnf(mask, axiom, ~att(K) | ~att(X) | att(xor(K, X))).
cnf(unmask, axiom, ~att(xor(K, X)) | ~att(K) | att(X)).
cnf(unmask, axiom, ~att(xor(K, X)) | ~att(X) | att(K)).

#define H(k, label, x) h(k, p(label, x))
#ifdef ONE_LABEL
#define lsess lframe
#define lreq lframe
#endif

cnf(public, axiom, att(lroot)). cnf(public, axiom, att(lhead)). cnf(public, axiom, att(lframe)). cnf(public, axiom, att(lsess)).
cnf(public, axiom, att(lpad)). cnf(public, axiom, att(lvid)). cnf(public, axiom, att(ldis)). cnf(public, axiom, att(lbind)). cnf(public, axiom, att(ljoin)).
cnf(public, axiom, att(lreq)). cnf(public, axiom, att(lrsp)). cnf(public, axiom, att(lratchet)).
cnf(public, axiom, att(branch)). cnf(public, axiom, att(gen0)). cnf(public, axiom, att(gen1)). cnf(public, axiom, att(header)).
cnf(public, axiom, att(wide)). cnf(public, axiom, att(narrow)). cnf(public, axiom, att(all)).
cnf(public, axiom, att(inside)). cnf(public, axiom, att(outside)). cnf(public, axiom, att(one)). cnf(public, axiom, att(two)).
cnf(public, axiom, att(n(S))). cnf(public, axiom, att(harmless(S))).

/* ---- keys ---- */

#ifdef RATCHET_WITHOUT_R
#define KE2 H(ke, lratchet, two)
#elif defined(NEXT_IS_XOR)
#define KE2 xor(ke, r)
#else
#define KE2 H(ke, lratchet, p(two, r))
#endif
#ifdef GENERATION_NOT_KEYED
#define BRANCH(epoch, gen) H(epoch, lroot, branch)
#else
#define BRANCH(epoch, gen) H(epoch, lroot, p(branch, gen))
#endif
#define HEAD(epoch, gen) H(BRANCH(epoch, gen), lhead, p(header, wide))      /* of the owner's capability: one frame, wide */
#ifdef FRAME_NOT_CHAINED
#define CHILD(k, frame) H(k, lframe, lframe)
#else
#define CHILD(k, frame) H(k, lframe, frame)
#endif
#define SESSION(k, nonce) H(k, lsess, p(nonce, cookie(nonce)))
#ifdef UNBOUND_REQUEST
#define REQUEST(ks, seq, req) H(ks, lreq, seq)
#else
#define REQUEST(ks, seq, req) H(ks, lreq, p(seq, req))
#endif
#ifdef UNBOUND_RESPONSE
#define RESPONSE(ks, seq, tag, resp) H(ks, lrsp, resp)
#else
#define RESPONSE(ks, seq, tag, resp) H(ks, lrsp, p(seq, p(tag, resp)))
#endif

/* ---- what frames admit: wide both requests, narrow the one inside, all (an empty frame) everything ---- */

cnf(admits, axiom, admits(wide, inside)). cnf(admits, axiom, admits(wide, outside)). cnf(admits, axiom, admits(wide, harmless(S))).
cnf(admits, axiom, admits(narrow, inside)). cnf(admits, axiom, admits(all, X)).

/* ---- the device: a cookie for any nonce; then requests under any chain that begins with the owner's frame, of 1 to 3 frames ---- */

cnf(hello, axiom, ~att(N) | att(cookie(N))).

#ifndef GEN
#define GEN gen0
#endif
#ifndef EPOCH
#define EPOCH ke
#endif
#define TAKES(k, frames_admit) \
    cnf(device, axiom, ~att(N) | ~att(Q) | ~att(X) | ~att(Y) | ~att(R) | ~att(REQUEST(SESSION(k, N), Q, R)) | frames_admit | acts(k, R)). \
    cnf(device, axiom, ~att(N) | ~att(Q) | ~att(X) | ~att(Y) | ~att(R) | ~att(REQUEST(SESSION(k, N), Q, R)) | frames_admit | \
        att(p(done(R), RESPONSE(SESSION(k, N), Q, REQUEST(SESSION(k, N), Q, R), done(R))))).
#define K1 HEAD(EPOCH, GEN)
#define K2 CHILD(K1, X)
#define K3 CHILD(K2, Y)
TAKES(K1, ~admits(wide, R))
#ifdef FIRST_FRAME_ONLY
TAKES(K2, ~admits(wide, R))
#else
TAKES(K2, ~admits(wide, R) | ~admits(X, R))
TAKES(K3, ~admits(wide, R) | ~admits(X, R) | ~admits(Y, R))
#endif

/* ---- an honest holder of the whole capability: in session S two requests, one after the other, which mean no harm ---- */

#define KS(gen) SESSION(HEAD(EPOCH, gen), n(S))
#define FIRST REQUEST(KS(GEN), one, harmless(p(one, S)))
#define SECOND REQUEST(KS(GEN), two, harmless(p(two, S)))
cnf(first, axiom, ~att(cookie(n(S))) | att(FIRST)).
cnf(answer_1, axiom, ~att(A) | ~att(RESPONSE(KS(GEN), one, FIRST, A)) | accepts(one, S, A)).
cnf(second, axiom, ~accepts(one, S, A) | att(SECOND)).
cnf(answer_2, axiom, ~att(A) | ~att(RESPONSE(KS(GEN), two, SECOND, A)) | accepts(two, S, A)).

/* ---- what the attacker holds: the same capability, narrowed (but for goals about those who hold none of it) ---- */

#ifndef HOLDS_NOTHING
cnf(held, axiom, att(CHILD(HEAD(EPOCH, GEN), narrow))).
#endif

/* ---- goals ---- */

/* Secrecy, against a holder of the narrowed capability: the owner's chain key; a session key; a key of the branch; the epoch key. */
#ifdef GOAL_chain_key
cnf(goal, negated_conjecture, ~att(HEAD(EPOCH, GEN))).
#endif
#ifdef GOAL_session_key
cnf(goal, negated_conjecture, ~att(KS(GEN))).
#endif
#ifdef GOAL_branch_key
cnf(goal, negated_conjecture, ~att(BRANCH(EPOCH, GEN))).
#endif
#ifdef GOAL_epoch_key
cnf(goal, negated_conjecture, ~att(EPOCH)).
#endif
/* No tag on the wire is a key of a chain, of whatever frames (-DHOLDS_NOTHING). */
#ifdef GOAL_wire_key
cnf(goal, negated_conjecture, ~att(K1)).
cnf(goal, negated_conjecture, ~att(CHILD(K1, F))).
cnf(goal, negated_conjecture, ~att(CHILD(CHILD(K1, F), G))).
#endif

/* Agreement: the device acts under the whole capability only on what its holder asked; an answer is accepted only from the device, for its own request. */
#ifdef GOAL_request
cnf(goal, negated_conjecture, ~acts(K1, inside)).
#endif
#ifdef GOAL_response
cnf(goal, negated_conjecture, ~accepts(Q, S, forged)).
cnf(public, axiom, att(forged)).
#endif
#ifdef GOAL_own_response
cnf(goal, negated_conjecture, ~accepts(two, S, done(harmless(p(one, S))))).
#endif

/* Attenuation only narrows: nothing is done outside the narrow frame, by whatever frames the attacker adds. */
#ifdef GOAL_narrow
cnf(goal, negated_conjecture, ~acts(K, outside)).
#endif

/* Revocation (-DGEN=gen1 -DHOLDS_NOTHING): the whole capability of generation 0 has leaked, the device has generation 1. */
#ifdef GOAL_revoked
cnf(leak, axiom, att(HEAD(ke, gen0))).
cnf(goal, negated_conjecture, ~acts(K, inside)).
#endif

/* The next epoch (-DEPOCH=KE2 -DHOLDS_NOTHING), by a ratchet with r, which the owner sends under a pad of a session of epoch 1, after another request. */
#define KSO SESSION(H(H(ke, lroot, p(owner, gen0)), lhead, p(header, all)), n(o))
#ifdef PAD_IS_TAG
#define PAD REQUEST(KSO, one, harmless(o))
#elif defined(PAD_OF_CAPABILITY)
#define PAD H(HEAD(ke, gen0), lpad, one)
#else
#define PAD H(KSO, lpad, one)
#endif
#if defined(GOAL_pad) || defined(GOAL_ratchet_capability) || defined(GOAL_ratchet_past) || defined(GOAL_ratchet_recorded)
cnf(before, axiom, att(REQUEST(KSO, one, harmless(o)))).
cnf(sent, axiom, att(xor(PAD, r))).
#endif
#ifdef GOAL_pad /* r stays secret, and the next key, whatever leaked but keys of epoch 1 */
cnf(leak, axiom, att(HEAD(ke, gen0))).
cnf(goal, negated_conjecture, ~att(r)).
cnf(goal, negated_conjecture, ~att(KE2)).
#endif
#ifdef GOAL_ratchet_capability /* a capability of epoch 1 has leaked */
cnf(leak, axiom, att(HEAD(ke, gen0))).
cnf(goal, negated_conjecture, ~acts(K, inside)).
#endif
#ifdef GOAL_ratchet_past /* the key of epoch 2 has leaked, and r: epoch 1 stays closed */
cnf(leak, axiom, att(KE2)).
cnf(leak, axiom, att(r)).
cnf(goal, negated_conjecture, ~att(ke)).
cnf(goal, negated_conjecture, ~att(HEAD(ke, gen0))).
#endif
#ifdef GOAL_ratchet_apart /* the key of epoch 1 has leaked, and r came another way than over the wire */
cnf(leak, axiom, att(ke)).
cnf(goal, negated_conjecture, ~acts(K, inside)).
#endif
#ifdef GOAL_ratchet_recorded /* the key of epoch 1 has leaked to who recorded the wire: he takes the pad off r */
cnf(leak, axiom, att(ke)).
cnf(public, axiom, att(owner)).
cnf(goal, negated_conjecture, ~acts(K, inside)).
#endif

/* Third party (-DHOLDS_NOTHING): the owner's capability with a frame that a guard's service locks. ck is the key of the capability of that service. */
#ifdef VID_UNMASKED
#define VID ck
#elif defined(MASK_IS_KEY)
#define VID xor(K1, ck)
#else
#define VID xor(H(K1, lvid, nf), ck)
#endif
#define LOCK lock(nf, VID)
#define KL CHILD(K1, LOCK)
#ifdef DISCHARGE_IS_FRAME
#define DISCHARGE(f) H(ck, lframe, f)
#elif defined(UNBOUND_FRAME)
#define DISCHARGE(f) H(ck, ldis, ldis)
#else
#define DISCHARGE(f) H(ck, ldis, f)
#endif
#ifdef UNBOUND_DISCHARGE
#define BINDING(d, ks) H(d, lbind, lbind)
#else
#define BINDING(d, ks) H(d, lbind, ks)
#endif
#ifdef LOCKED
cnf(wire, axiom, att(LOCK)). /* who opens sends his frames */
cnf(lock_parts, axiom, ~att(lock(X, Y)) | att(X)).
cnf(lock_parts, axiom, ~att(lock(X, Y)) | att(Y)).
cnf(public, axiom, att(granted)). cnf(public, axiom, att(mine)).
cnf(admits, axiom, admits(granted, inside)). cnf(admits, axiom, admits(granted, harmless(S))).
#define UNLOCKS(k, frames_admit) \
    cnf(unlocks, axiom, ~att(N) | ~att(Q) | ~att(Y) | ~att(R) | ~att(F) | ~att(REQUEST(SESSION(k, N), Q, R)) | ~att(BINDING(DISCHARGE(F), SESSION(k, N))) | \
        ~admits(wide, R) | ~admits(F, R) | frames_admit | unlocks(N, R)).
UNLOCKS(KL, ~admits(all, R))
UNLOCKS(CHILD(KL, Y), ~admits(Y, R))
/* An honest holder with a discharge, in session S. */
cnf(honest, axiom, ~att(cookie(n(S))) | att(REQUEST(SESSION(KL, n(S)), one, harmless(S)))).
cnf(honest, axiom, ~att(cookie(n(S))) | att(BINDING(DISCHARGE(granted), SESSION(KL, n(S))))).
#endif
#ifdef GOAL_lock_holder /* who holds the locked capability, and has seen discharges in use, does nothing in a session of his own */
cnf(leak, axiom, att(KL)).
cnf(goal, negated_conjecture, ~unlocks(mine, inside)).
cnf(goal, negated_conjecture, ~acts(K, inside)).
#endif
#ifdef GOAL_lock_frame /* who has the discharge of one frame, and the locked capability, does nothing outside that frame */
cnf(leak, axiom, att(KL)).
cnf(leak, axiom, att(DISCHARGE(granted))).
cnf(goal, negated_conjecture, ~unlocks(N, outside)).
#endif
#ifdef GOAL_discharge_key /* no key of a discharge gets out */
cnf(leak, axiom, att(KL)).
cnf(leak, axiom, att(H(ck, lframe, granted))).
cnf(goal, negated_conjecture, ~att(DISCHARGE(F))).
#endif
#ifdef GOAL_lock_guard /* the guard alone does nothing */
cnf(leak, axiom, att(ck)).
cnf(goal, negated_conjecture, ~unlocks(N, inside)).
cnf(goal, negated_conjecture, ~acts(K, inside)).
#endif
#ifdef GOAL_lock_apart /* a capability narrowed from the guard's is no discharge */
cnf(leak, axiom, att(KL)).
cnf(leak, axiom, att(H(ck, lframe, granted))).
cnf(goal, negated_conjecture, ~unlocks(mine, inside)).
#endif
#ifdef GOAL_can_unlock
cnf(leak, axiom, att(KL)).
cnf(leak, axiom, att(DISCHARGE(granted))).
cnf(goal, negated_conjecture, ~unlocks(mine, inside)).
#endif

/* Two capabilities that prove a request together (-DHOLDS_NOTHING): the owner's, and one of another branch. */
#define KB H(H(EPOCH, lroot, p(second, gen0)), lhead, p(header, wide))
#ifdef JOIN_FIRST_ONLY
#define JOIN(a, b) a
#elif defined(JOIN_LAST_ONLY)
#define JOIN(a, b) b
#else
#define JOIN(a, b) H(a, ljoin, b)
#endif
#define KJ(nonce) JOIN(SESSION(K1, nonce), SESSION(KB, nonce))
#ifdef JOINED
cnf(public, axiom, att(second)).
cnf(joint, axiom, ~att(N) | ~att(Q) | ~att(R) | ~att(REQUEST(KJ(N), Q, R)) | ~admits(wide, R) | joint(R)).
/* An honest holder of both: together, and each alone in the same session. */
cnf(honest, axiom, ~att(cookie(n(S))) | att(REQUEST(KJ(n(S)), one, harmless(S)))).
cnf(honest, axiom, ~att(cookie(n(S))) | att(REQUEST(SESSION(KB, n(S)), one, harmless(S)))).
#endif
#ifdef GOAL_join_first /* who holds the first only */
cnf(leak, axiom, att(K1)).
cnf(goal, negated_conjecture, ~joint(inside)).
#endif
#ifdef GOAL_join_second /* who holds the second only */
cnf(leak, axiom, att(KB)).
cnf(goal, negated_conjecture, ~joint(inside)).
#endif
#ifdef GOAL_can_join
cnf(leak, axiom, att(K1)).
cnf(leak, axiom, att(KB)).
cnf(goal, negated_conjecture, ~joint(inside)).
#endif

/* Probes: what must be possible, else the rest says nothing. */
#ifdef GOAL_can_ask
cnf(goal, negated_conjecture, ~accepts(two, S, done(harmless(p(two, S))))).
#endif
#ifdef GOAL_can_act_inside
cnf(goal, negated_conjecture, ~acts(CHILD(K1, narrow), inside)).
#endif
