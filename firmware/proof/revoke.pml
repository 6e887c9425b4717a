/* Revocation: a branch's generation in the claim record, which is kept twice (docs/spec/capability.md, docs/spec/claim.md; core/owner.c, core/act.c).
 *
 * The owner raises the generation of a branch while the holder of a capability of an old one has a session open, and replays what he likes. The new
 * record goes to the second copy first, then over the first; power may fail between any two steps and in the middle of a write; and a write may fail by
 * itself (a worn cell): then the device says so (reason 26) and goes on with what it has, whose generation it reads without a look at the CRC. The owner may ask
 * again. One branch, generations 0..MAX, one session beside the owner's. Tags and cookies are session.pml's: here an OPEN names a generation, and is right
 * in everything else.
 *
 * Mutants (-D): SURVIVES NOT_COMPARED SINGLE_COPY ANSWER_FIRST ONLY_ON_SUCCESS. Probes, which must be reached: REACH_ACT REACH_PROMOTE REACH_FAILED. */

#define MAX 2
#define PROPERTY(name, holds) if :: (holds) -> skip :: else -> assert(name) fi

/* The properties, by the names that the checker prints. They are never true. */
bit never_acts_after = 0; /* nothing acts under a generation below one that the owner has been told of */
bit stays_claimed = 0;    /* power loss alone never loses the record */
bit does_happen = 0;      /* for the probes */

typedef copy { byte generation; bit good };
copy first, second;
byte told = 0; /* the newest generation that the owner has been told of */
bit worn = 0;  /* a write has failed by itself */
bit open = 0;
byte holds = 0; /* the generation of the open session */
byte next = 0;

/* A write that has begun leaves a copy that is not valid until it has ended; if it fails, the generation may be written already. */
inline write(where, value)
{
    where.good = 0;
    if
    :: goto boot
    :: d_step { where.generation = value; where.good = 1 }
    :: d_step { where.generation = value; worn = 1 }; goto failed
    :: worn = 1; goto failed
    fi
}

inline close() { open = 0; holds = 0 }

active proctype device()
{
    d_step { first.good = 1; second.good = 1 }; /* a claim has just ended */
boot:
    skip;
    d_step { close(); next = 0 };
    if
    :: first.good -> skip
    :: !first.good && second.good ->
#ifdef REACH_PROMOTE
        PROPERTY(does_happen, 0);
#endif
        if
        :: goto boot
        :: d_step { first.generation = second.generation; first.good = 1 }
        fi
    :: else ->
        PROPERTY(stays_claimed, worn);
        goto lost
    fi;
live:
    do
    :: goto boot
    :: !open -> d_step { /* an OPEN of the generation that the device has; of another it is refused (reason 13) */
        open = 1;
#ifndef NOT_COMPARED
        holds = first.generation
#endif
        }
    :: open -> /* a request in the session */
#ifdef REACH_ACT
        PROPERTY(does_happen, told == 0);
#endif
        PROPERTY(never_acts_after, holds >= told)
    :: told < first.generation -> told = first.generation /* the owner asks again, after a lost answer or a failure: there is nothing to do */
    :: first.generation < MAX -> /* the owner's bump */
        next = first.generation + 1;
#ifdef ANSWER_FIRST
        told = next;
#endif
#ifdef SINGLE_COPY
        second.good = 0;
#else
        write(second, next);
#endif
        write(first, next);
        if
        :: goto boot /* it is done, and nobody has been told */
        :: skip
        fi;
        d_step {
            if
            :: next > told -> told = next
            :: else -> skip
            fi;
            next = 0;
#ifndef SURVIVES
            close()
#endif
        }
    od;
failed:
#ifdef REACH_FAILED
    PROPERTY(does_happen, 0);
#endif
    next = 0;
#ifndef ONLY_ON_SUCCESS
    if
    :: open && first.generation != holds -> d_step { close() } /* the write got as far as the generation */
    :: else -> skip
    fi;
#endif
    goto live;
lost:
    skip /* unclaimed: nothing acts at all */
}
