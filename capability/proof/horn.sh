#!/bin/sh
# Checks horn.p with the prover E: saturated without a contradiction means that there is no attack (holds); a contradiction is one. Every goal must hold,
# every mutant must be attacked, and every probe reached. One line each; fails if one is not as it says.
#
#   horn.sh OUT [JOBS]     works in the directory OUT
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# goal, what is defined besides, what must come out
next=EPOCH=KE2,HOLDS_NOTHING
table="
chain_key          -                                          holds
session_key        -                                          holds
branch_key         -                                          holds
epoch_key          -                                          holds
wire_key           HOLDS_NOTHING                              holds
wire_key           ONE_LABEL,HOLDS_NOTHING                    attack
request            -                                          holds
request            UNBOUND_REQUEST                            attack
response           -                                          holds
own_response       -                                          holds
own_response       UNBOUND_RESPONSE                           attack
narrow             -                                          holds
narrow             FRAME_NOT_CHAINED                          attack
narrow             FIRST_FRAME_ONLY                           attack
revoked            GEN=gen1,HOLDS_NOTHING                     holds
revoked            GENERATION_NOT_KEYED,GEN=gen1,HOLDS_NOTHING attack
ratchet_capability $next                                      holds
ratchet_past       $next                                      holds
ratchet_past       NEXT_IS_XOR,$next                          attack
ratchet_apart      $next                                      holds
ratchet_apart      RATCHET_WITHOUT_R,$next                    attack
ratchet_recorded   $next                                      attack
pad                $next                                      holds
pad                PAD_IS_TAG,$next                           attack
pad                PAD_OF_CAPABILITY,$next                    attack
lock_holder        LOCKED,HOLDS_NOTHING                       holds
lock_holder        VID_UNMASKED,LOCKED,HOLDS_NOTHING          attack
lock_holder        UNBOUND_DISCHARGE,LOCKED,HOLDS_NOTHING     attack
lock_frame         LOCKED,HOLDS_NOTHING                       holds
lock_frame         UNBOUND_FRAME,LOCKED,HOLDS_NOTHING         attack
discharge_key      LOCKED,HOLDS_NOTHING                       holds
discharge_key      DISCHARGE_IS_FRAME,LOCKED,HOLDS_NOTHING    attack
lock_guard         LOCKED,HOLDS_NOTHING                       holds
lock_guard         MASK_IS_KEY,LOCKED,HOLDS_NOTHING           attack
lock_apart         LOCKED,HOLDS_NOTHING                       holds
lock_apart         DISCHARGE_IS_FRAME,LOCKED,HOLDS_NOTHING    attack
join_first         JOINED,HOLDS_NOTHING                       holds
join_first         JOIN_FIRST_ONLY,JOINED,HOLDS_NOTHING       attack
join_second        JOINED,HOLDS_NOTHING                       holds
join_second        JOIN_LAST_ONLY,JOINED,HOLDS_NOTHING        attack
can_unlock         LOCKED,HOLDS_NOTHING                       attack
can_join           JOINED,HOLDS_NOTHING                       attack
can_ask            -                                          attack
can_act_inside     -                                          attack
"

# one DIR GOAL DEFINES EXPECTED
one() {
	cd "$1"
	goal=$2 defines=$3 expected=$4
	flags=
	[ "$defines" = - ] || flags=-D$(echo "$defines" | sed 's/,/ -D/g')
	# shellcheck disable=SC2086
	cpp -P -undef $flags -D"GOAL_$goal" "$here/horn.p" >horn.p && eprover --satauto --cpu-limit=60 --memory-limit=600 --silent horn.p >horn.log 2>&1 || true
	case $(sed -n 's/^# SZS status //p' horn.log) in
	Satisfiable) got=holds ;;
	Unsatisfiable) got=attack ;;
	*) got=unknown ;;
	esac
	verdict=FAIL
	[ "$got" != "$expected" ] || verdict=ok
	mutant=$(echo "$defines" | tr , '\n' | grep -vE '^(-|HOLDS_NOTHING|LOCKED|JOINED|GEN=.*|EPOCH=.*)$' || true)
	case $goal in can_*) [ "$got" != attack ] || got='is reached' ;; esac
	printf '%-4s horn %-18s %-20s %s\n' "$verdict" "$goal" "${mutant:-as specified}" "$got" >line
	[ "$verdict" = ok ] || printf '     expected %s; see %s/horn.log\n' "$expected" "$1" >>line
}

# shellcheck source=firmware/proof/rows.sh
. "$here/../../firmware/proof/rows.sh"
