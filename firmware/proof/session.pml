/* Opening, sessions, window, used ring, freshness (docs/spec/capability.md, Opening, A request in a session; core/guard.c, core/slot.c).
 *
 * One process makes every move of everybody: time, power loss, the device, two callers, a hostile holder of a weak capability, and an attacker
 * who records every message and delivers any of them at any time, any number of times, in any order, or junk instead. He has no key but the
 * weak capability's, so a tag of another is good only where the very bytes were made by their caller.
 *
 * Session 0 is a holder's, session 1 the owner's: each opens with one cookie, and makes requests 1..SEQ in it (1 is the OPEN itself) in any order
 * and with any gaps. Every request acts. The hostile holder opens sessions as often as the device lets him, each with a cookie of its own.
 *
 * Smaller than life: SLOTS, RING, WIN (the window's 32 bits), the cookie's 10 s are OLD units of time, a hold 1, residency 1, and WRAP units
 * stand for the 2^16 ticks after which a tick on the wire means another one. Ages instead of ticks, so time and reboots have no end.
 * Among evictable slots any may go, not only the least recently used one: more than the device does. Boots differ: boot.pml.
 *
 * Mutants (-D): WINDOW_BEFORE_TAG NO_RING RING_FORGETS RING_BEFORE_TAG NO_RESERVE DUPLICATE_RUNS ANY_ANSWER EVICT_SLOT_0 NO_HOLD SHORT_TICK
 * BOOT_AGAIN NO_WINDOW. Probes, which must be reached: REACH_ACT REACH_REPEAT REACH_EVICT REACH_STALE REACH_FULL REACH_BELOW. */

#define SLOTS 3
#define RING 2 /* entries for everybody, and one more for branch 0 */
#ifndef SEQ
#define SEQ 4
#endif
#define WIN 2
#define OLD 2
#define HOLD 1
#define WRAP 3

#define NOBODY 0 /* in a slot; session k is k + 1 */
#define HOSTILE 3
#define NONE 15 /* an age: not made yet */

#define PROPERTY(name, holds) if :: (holds) -> skip :: else -> assert(name) fi

/* The properties, by the names that the checker prints. They are never true. */
bit acts_once = 0;      /* no request acts twice */
bit acts_fresh = 0;     /* none acts later than its hold after its tick */
bit one_session = 0;    /* a cookie opens at most one session */
bit only_tags_move = 0; /* a request under a good tag is new exactly if its caller's requests say so: junk moves no window */
bit own_answer = 0;     /* a duplicate gets the answer of the request that it repeats */
bit slot_0 = 0;         /* slot 0 is never held by another branch than 0 */
bit owner_opens = 0;    /* an owner who has not just opened could open now */
bit does_happen = 0;    /* for the probes */

/* The device. */
typedef place { byte who; bit young; byte high; byte window; byte tag; byte answer }; /* tag, answer: of which sequence */
place slot[SLOTS];
byte ring[2] = NONE; /* age of the entry of session k's cookie */
bit extra[2];        /* it is the owner's extra entry */
byte crowd[OLD + 1]; /* entries of the hostile holder, by age */

/* What is on the record, and ghosts. */
byte cookie[2] = NONE; /* age of its cookie */
bit ended[2];          /* the cookie is of a boot that is over */
bit sent[2];           /* OPEN is on the record */
byte home[2] = NONE;   /* the slot that the answer to OPEN gave */
typedef record { byte age[SEQ + 1] };
record request[2];     /* age of request s of session k since its tick */
byte got[2], acted[2]; /* bit s: let through; acted */

byte i, r, verdict;

#define OWNERS(k) ((k) == 1)
#define FREE(n) (slot[n].who == NOBODY)
#define MEMBER(k, n) ((n) < SLOTS && slot[n].who == (k) + 1)

#ifdef EVICT_SLOT_0
#define BASE(owner) 0
#else
#define BASE(owner) ((owner) -> 0 : 1)
#endif
#define MINE(w) (slot[0].who == (w) || slot[1].who == (w) || slot[2].who == (w))
#define NOT_FREE(owner) (!(BASE(owner) == 0 && FREE(0)) && !FREE(1) && !FREE(2))
/* Who (w) may get slot n: the lowest free one, else one to evict. */
#define MAY_EVICT(w, n) (!slot[n].young && (!MINE(w) || slot[n].who == (w)))
#define GETS(w, owner, n) ((n) >= BASE(owner) && (FREE(n) -> \
    (((n) < 1 || BASE(owner) > 0 || !FREE(0)) && ((n) < 2 || !FREE(1))) : (NOT_FREE(owner) && MAY_EVICT(w, n))))

#define TAKEN (crowd[0] + crowd[1] + crowd[2] + (ring[0] != NONE) + (ring[1] != NONE && !extra[1]))
#ifdef NO_RESERVE
#define ROOM(owner) (TAKEN < RING)
#else
#define ROOM(owner) (TAKEN < RING || ((owner) && ring[1] == NONE && crowd[0] + crowd[1] + crowd[2] <= RING))
#endif

inline owner_check()
{
    PROPERTY(owner_opens, ring[1] != NONE || MEMBER(1, 0) && slot[0].young || MEMBER(1, 1) && slot[1].young || MEMBER(1, 2) && slot[2].young ||
        ROOM(1) && (GETS(2, 1, 0) || GETS(2, 1, 1) || GETS(2, 1, 2)));
    PROPERTY(slot_0, slot[0].who == NOBODY || slot[0].who == 2)
}

#ifdef RING_FORGETS
#define KEEP (OLD - 1)
#else
#define KEEP OLD
#endif

inline older(what, most)
{
    if
    :: what < (most) -> what++
    :: else -> skip
    fi
}

inline time_passes()
{
    slot[0].young = 0; slot[1].young = 0; slot[2].young = 0;
    crowd[OLD] = (KEEP == OLD -> crowd[OLD - 1] : 0);
    crowd[1] = crowd[0]; crowd[0] = 0;
    i = 0;
    do
    :: i < 2 ->
        if
        :: ring[i] != NONE && ring[i] >= KEEP -> ring[i] = NONE; extra[i] = 0
        :: ring[i] != NONE && ring[i] < KEEP -> ring[i]++
        :: else -> skip
        fi;
        if
        :: ended[i] -> skip /* its ticks are of another boot: to this one they look as fresh as can be */
        :: else ->
            older(cookie[i], OLD + 1);
            r = 2;
            do
            :: r <= SEQ -> older(request[i].age[r], WRAP); r++
            :: else -> break
            od
        fi;
        i++
    :: else -> break
    od;
    i = 0; r = 0
}

inline power_fails()
{
    i = 0;
    do
    :: i < SLOTS -> slot[i].who = NOBODY; slot[i].young = 0; slot[i].high = 0; slot[i].window = 0; slot[i].tag = 0; slot[i].answer = 0; i++
    :: else -> break
    od;
    crowd[0] = 0; crowd[1] = 0; crowd[2] = 0; extra[0] = 0; extra[1] = 0; ring[0] = NONE; ring[1] = NONE;
    i = 0;
    do
    :: i < 2 ->
        if
        :: cookie[i] != NONE ->
            cookie[i] = 0;
#ifndef BOOT_AGAIN
            ended[i] = 1;
#endif
            r = 2;
            do
            :: r <= SEQ ->
                if
                :: request[i].age[r] != NONE -> request[i].age[r] = 0
                :: else -> skip
                fi;
                r++
            :: else -> break
            od
        :: else -> skip
        fi;
        i++
    :: else -> break
    od;
    i = 0; r = 0
}

inline act(k, s, fresh)
{
    if
    :: fresh ->
#ifdef REACH_ACT
        PROPERTY(does_happen, s < 2);
#endif
        PROPERTY(acts_once, !(acted[k] & (1 << s)));
        acted[k] = acted[k] | (1 << s);
        PROPERTY(acts_fresh, (s == 1 -> cookie[k] : request[k].age[s]) <= HOLD)
    :: else ->
#ifdef REACH_STALE
        PROPERTY(does_happen, s < 2);
#endif
        skip
    fi
}

#ifdef NO_HOLD
#define FRESH(age) (1)
#else
#define FRESH(age) ((age) <= HOLD)
#endif

/* How old the tick seems that the device reconstructs from the wire. The tag is over all of it, so only the true one verifies. */
#ifdef SHORT_TICK
#define SEEN_AGE(age) ((age) % WRAP)
#else
#define SEEN_AGE(age) (age)
#endif

/* A sequence that came before, under a good tag: the kept answer, if this is the newest request; else refused. Nothing runs. */
inline repeat(k, s, n)
{
#ifdef DUPLICATE_RUNS
    if
    :: s == 1 -> act(k, s, FRESH(cookie[k]))
    :: else -> act(k, s, FRESH(SEEN_AGE(request[k].age[s])))
    fi
#else
    if
#ifdef ANY_ANSWER
    :: slot[n].answer != 0 ->
#else
    :: slot[n].tag == s && slot[n].answer != 0 ->
#endif
#ifdef REACH_REPEAT
        PROPERTY(does_happen, s < 2);
#endif
        PROPERTY(own_answer, slot[n].answer == s)
    :: else -> skip
    fi
#endif
}

/* keep: the answer is short enough to be kept */
inline let_through(k, s, n, keep)
{
    got[k] = got[k] | (1 << s);
    slot[n].tag = s;
    slot[n].answer = (keep -> s : 0)
}

inline enter(w, n)
{
#ifdef REACH_EVICT
    PROPERTY(does_happen, FREE(n) || slot[n].who == w || n < 2);
#endif
    slot[n].who = w; slot[n].young = 1; slot[n].high = 0; slot[n].window = 0; slot[n].tag = 0; slot[n].answer = 0
}

/* The OPEN of session k arrives (again), and n is the slot if it is let in. */
#define COOKIE_GOOD(k) (cookie[k] <= OLD && !ended[k])
#ifdef NO_RING
#define USED(k) (0)
#else
#define USED(k) (ring[k] != NONE)
#endif

inline open(k, n, keep)
{
    ring[k] = cookie[k];
    extra[k] = (TAKEN > RING); /* counted with this one */
    PROPERTY(one_session, !(got[k] & 2));
    enter(k + 1, n);
    slot[n].high = 1; slot[n].window = 1;
    home[k] = n;
    let_through(k, 1, n, keep);
    act(k, 1, FRESH(cookie[k]))
}

inline open_again(k)
{
    if
    :: MEMBER(k, home[k]) ->
        repeat(k, 1, home[k])
    :: else -> skip
    fi
}

/* The window as the device keeps it: 0 new, 1 seen, 2 below. */
inline look(n, s)
{
    if
    :: s > slot[n].high ->
        slot[n].window = ((s - slot[n].high < WIN -> slot[n].window << (s - slot[n].high) : 0) | 1) & ((1 << WIN) - 1);
        slot[n].high = s;
        verdict = 0
    :: else ->
        if
        :: slot[n].high - s >= WIN -> verdict = 2
        :: slot[n].high - s < WIN && (slot[n].window & (1 << (slot[n].high - s))) -> verdict = 1
        :: else -> slot[n].window = slot[n].window | (1 << (slot[n].high - s)); verdict = 0
        fi
    fi
}

/* What the requests let through so far say: nothing within WIN above s, and s itself not. */
#define LET_IN(k, s) (!(got[k] & (1 << (s))) && (got[k] >> ((s) + WIN)) == 0)

inline arrives(k, s, keep)
{
    if
#ifdef SHORT_TICK
    :: MEMBER(k, home[k]) ->
#else
    :: MEMBER(k, home[k]) && request[k].age[s] < WRAP -> /* else another tick is under the tag than the device reconstructs */
#endif
#ifdef NO_WINDOW
        verdict = 0;
#else
        r = LET_IN(k, s);
        look(home[k], s);
        PROPERTY(only_tags_move, (verdict == 0) == r);
        r = 0;
#endif
        if
        :: verdict == 0 ->
            let_through(k, s, home[k], keep);
            act(k, s, FRESH(SEEN_AGE(request[k].age[s])))
        :: verdict == 1 -> repeat(k, s, home[k])
        :: else ->
#ifdef REACH_BELOW
            PROPERTY(does_happen, 0);
#endif
            skip
        fi;
        verdict = 0
    :: else -> skip
    fi
}

#define HELLO(k) :: d_step { cookie[k] == NONE -> cookie[k] = 0 }
#define ASK(k) :: d_step { cookie[k] != NONE && !sent[k] -> sent[k] = 1 }
#define OPEN(k, n) \
    :: d_step { sent[k] && COOKIE_GOOD(k) && !USED(k) && ROOM(OWNERS(k)) && GETS(k + 1, OWNERS(k), n) -> open(k, n, 1) } \
    :: d_step { sent[k] && COOKIE_GOOD(k) && !USED(k) && ROOM(OWNERS(k)) && GETS(k + 1, OWNERS(k), n) -> open(k, n, 0) }
#define AGAIN(k) :: d_step { sent[k] && COOKIE_GOOD(k) && USED(k) -> open_again(k) }
#define MAKE(k, s) :: d_step { home[k] != NONE && request[k].age[s] == NONE && !ended[k] -> request[k].age[s] = 0 }
#define DELIVER(k, s) \
    :: d_step { request[k].age[s] != NONE -> arrives(k, s, 1) } \
    :: d_step { request[k].age[s] != NONE -> arrives(k, s, 0) }
#define HOSTILE_OPEN(a, n) :: d_step { ROOM(0) && GETS(HOSTILE, 0, n) && (a) <= KEEP -> crowd[a]++; enter(HOSTILE, n) }
#define JUNK(n, s) :: d_step { slot[n].who != NOBODY && slot[n].who != HOSTILE -> look(n, s); verdict = 0 }

#define EACH_SLOT(move, k) move(k, 0) move(k, 1) move(k, 2)
#if SEQ == 4
#define EACH_SEQ(move, k) move(k, 2) move(k, 3) move(k, 4)
#else
#define EACH_SEQ(move, k) move(k, 2) move(k, 3)
#endif

active proctype everybody()
{
    d_step {
        do
        :: i < 2 ->
            r = 0;
            do
            :: r <= SEQ -> request[i].age[r] = NONE; r++
            :: else -> break
            od;
            i++
        :: else -> break
        od;
        i = 0; r = 0
    };
    do
    :: d_step { time_passes() }
    :: d_step { power_fails() }
    HELLO(0) HELLO(1) ASK(0) ASK(1)
    EACH_SLOT(OPEN, 0) EACH_SLOT(OPEN, 1) AGAIN(0) AGAIN(1)
    EACH_SEQ(MAKE, 0) EACH_SEQ(DELIVER, 0)
    EACH_SLOT(HOSTILE_OPEN, 0) EACH_SLOT(HOSTILE_OPEN, OLD)
#ifdef WINDOW_BEFORE_TAG
    JUNK(1, SEQ) JUNK(0, SEQ)
#endif
#ifdef RING_BEFORE_TAG
    :: d_step { TAKEN < RING -> crowd[0]++ }
    :: d_step { ring[1] == NONE && TAKEN == RING -> crowd[0]++ } /* a header of branch 0 is easily written */
#endif
#ifdef REACH_FULL
    :: d_step { PROPERTY(does_happen, ROOM(0)) }
#endif
    :: d_step { owner_check() }
    od
}
