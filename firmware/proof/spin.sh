#!/bin/sh
# Checks the Promela models of this folder, exhaustively: every property must hold, every mutant must break the property named beside it, and every
# probe (something that must be possible, else the properties say nothing) must be reached. One line each; fails if one is not as it says.
#
#   spin.sh OUT [JOBS]     works in the directory OUT
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# model, what is defined, what the checker must say. SEQ=3 makes the same model smaller, enough to break it.
table='
boot    -                       holds
boot    LINK_FIRST              counter_rises
boot    NO_READBACK             counter_rises
boot    SAME_SLOT               counter_rises
boot    FIRST_VALID             counter_rises
boot    NO_CHECK                no_leap
boot    REACH_SKIP              does_happen
session -                       holds
session NO_RING                 one_session
session RING_FORGETS            one_session
session BOOT_AGAIN              one_session
session NO_WINDOW,SEQ=3         acts_once
session DUPLICATE_RUNS,SEQ=3    acts_once
session WINDOW_BEFORE_TAG,SEQ=3 only_tags_move
session NO_HOLD,SEQ=3           acts_fresh
session SHORT_TICK,SEQ=3        acts_fresh
session ANY_ANSWER,SEQ=3        own_answer
session EVICT_SLOT_0,SEQ=3      slot_0
session RING_BEFORE_TAG,SEQ=3   owner_opens
session NO_RESERVE,SEQ=3        owner_opens
session REACH_ACT,SEQ=3         does_happen
session REACH_REPEAT,SEQ=3      does_happen
session REACH_EVICT,SEQ=3       does_happen
session REACH_STALE,SEQ=3       does_happen
session REACH_FULL,SEQ=3        does_happen
session REACH_BELOW             does_happen
revoke  -                       holds
revoke  SURVIVES                never_acts_after
revoke  ONLY_ON_SUCCESS         never_acts_after
revoke  NOT_COMPARED            never_acts_after
revoke  ANSWER_FIRST            never_acts_after
revoke  SINGLE_COPY             stays_claimed
revoke  REACH_ACT               does_happen
revoke  REACH_PROMOTE           does_happen
revoke  REACH_FAILED            does_happen
'

# one DIR MODEL DEFINES EXPECTED
one() {
	dir=$1 model=$2 defines=$3 expected=$4
	cd "$dir"
	flags=
	opt=-O0 hash=18
	if [ "$defines" = - ]; then opt=-O2 hash=23; else flags=-D$(echo "$defines" | sed 's/,/ -D/'); fi
	# shellcheck disable=SC2086
	spin $flags -a "$here/$model.pml" >spin.out 2>&1 && gcc $opt -w -DSAFETY -DMEMLIM=1400 -o pan pan.c 2>gcc.out && ./pan -m100000 -w"$hash" >pan.out 2>&1 || true
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out 2>/dev/null || true)
	broken=$(sed -n 's/^pan:1: assertion violated \([a-z0-9_]*\).*/\1/p' pan.out 2>/dev/null || true)
	verdict=FAIL
	if [ "$expected" = holds ]; then
		# A search that ran out of memory or depth, and an error that is no assertion, are failures too.
		if grep -q 'errors: 0$' pan.out && ! grep -qE 'not completed|max search depth too small|out of memory' pan.out; then verdict=ok; fi
		broken=${broken:-'every property'}
		what="$broken, $states states"
	else
		[ "$broken" != "$expected" ] || verdict=ok
		what="breaks ${broken:-nothing}"
		case $defines in REACH_*) [ -z "$broken" ] && what="is not reached" || what="is reached" ;; esac
	fi
	printf '%-4s spin %-8s %-18s %s\n' "$verdict" "$model" "$(echo "$defines" | sed 's/,.*//; s/^-$/as specified/')" "$what" >line
	[ "$verdict" = ok ] || printf '     expected %s; see %s\n' "$expected" "$dir" >>line
}

# shellcheck source=firmware/proof/rows.sh
. "$here/rows.sh"
