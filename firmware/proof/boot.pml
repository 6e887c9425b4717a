/* The boot counter in EEPROM (docs/spec/capability.md, Boot counter; core/counter.c, core/device.c).
 *
 * A device boots, reads its slots, writes the newest counter + 1 into the next slot, reads it back, and only then enables the link. Power may fail
 * between any two steps, in the middle of a write too; a write may also fail by itself (a worn cell), leaving junk or what was there.
 * 3 slots stand for the 16, counters 0..MAX for 32 bits. Assumed: a slot that read back well keeps its bytes; the CRC-16 tells a torn slot.
 *
 * Mutants (-D): LINK_FIRST NO_READBACK NO_CHECK SAME_SLOT FIRST_VALID. Probes, which must be reached: REACH_SKIP. */

#define SLOTS 3
#define MAX 6
#define PROPERTY(name, holds) if :: (holds) -> skip :: else -> assert(name) fi

/* The properties, by the names that the checker prints. They are never true. */
bit counter_rises = 0; /* each link-on period has a greater counter than the one before */
bit never_lost = 0;    /* power loss alone, without a worn cell, never loses the counter */
bit no_leap = 0;       /* the newest counter is one that a boot wrote: no torn slot makes it leap, and so run out */
bit does_happen = 0;   /* for the probes */

typedef cell { byte value; bit good };
cell slot[SLOTS];
byte last = 0;     /* the counter of the last link-on period */
byte written = 1; /* the greatest counter that a boot began to write */
bit worn = 0;      /* a write has failed by itself */
byte newest, at, i, tries, counter;
bit found;

inline read_slots()
{
    d_step {
        found = 0; newest = 0; at = SLOTS - 1; i = 0;
        do
        :: i < SLOTS ->
            if
#ifdef NO_CHECK
            :: (!found || slot[i].value > newest) ->
#elif defined(FIRST_VALID)
            :: slot[i].good && !found ->
#else
            :: slot[i].good && (!found || slot[i].value > newest) ->
#endif
                found = 1; newest = slot[i].value; at = i
            :: else -> skip
            fi;
            i++
        :: else -> break
        od;
        i = 0
    }
}

inline link_on()
{
    d_step {
        PROPERTY(counter_rises, counter > last);
        last = counter
    }
}

/* Power fails: RAM is gone, and we boot again. What was being written is torn already. */
#define POWER_FAILS :: goto boot

active proctype device()
{
    /* The factory's blank EEPROM has been through its first boot. */
    d_step { slot[0].value = 1; slot[0].good = 1; last = 1; counter = 0 }
boot:
    skip;
    d_step { counter = 0; newest = 0; at = 0; found = 0; tries = 0; i = 0 }
    read_slots();
    PROPERTY(never_lost, found || worn);
    PROPERTY(no_leap, newest <= written);
    if
    :: !found || newest == MAX -> goto lost
    :: else -> counter = newest + 1
    fi;
#ifdef LINK_FIRST
    link_on();
#endif
#ifdef SAME_SLOT
    at = (at + SLOTS - 1) % SLOTS;
#endif
    tries = 1;
    if
    :: counter > written -> written = counter
    :: else -> skip
    fi;
    do
    :: tries < SLOTS -> /* never over the newest one */
        at = (at + 1) % SLOTS;
        if
        :: worn = 1                       /* nothing is written, and nobody is told */
        :: slot[at].good = 0; /* begun: not valid until its end, and of whatever value */
            if
            :: slot[at].value = 0
            :: slot[at].value = MAX
            fi;
            if
            POWER_FAILS
            :: worn = 1                   /* junk stays */
            :: d_step { slot[at].value = counter; slot[at].good = 1 }
            fi
        fi;
        if
        POWER_FAILS
        :: skip
        fi;
#ifdef NO_READBACK
        goto up
#else
        if
        :: slot[at].good && slot[at].value == counter -> goto up
        :: else -> tries++
        fi
#endif
    :: else -> goto lost
    od;
up:
#ifdef REACH_SKIP
    PROPERTY(does_happen, tries < 2);
#endif
#ifndef LINK_FIRST
    link_on();
#endif
    goto boot; /* sooner or later */
lost:
    skip /* everything protected is refused for good (reason 16) */
}
