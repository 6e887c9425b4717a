#!/bin/sh
# Runs Frama-C's Eva over the parsers with any input (the drivers in eva/): no alarm may be left. And over mutants, each with a check taken out: every one
# must give an alarm. One line each; fails if one is not as it says.
#
#   eva.sh OUT [JOBS]     works in the directory OUT
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# driver, mutant (an edit below), what must come out. MOST is the longest message: mutants need none so long.
table='
frame       -                holds
parse       -                holds
request     -                holds
option_next -                holds
slip        -                holds
option_next LENGTH_UNCHECKED alarm
frame       VALUE_UNCHECKED  alarm
request     PATH_UNCHECKED   alarm
slip        FULL_UNCHECKED   alarm
'

# edit MUTANT: a sed script for the core
edit() {
	case $1 in
	LENGTH_UNCHECKED) echo 's/ || o->len > (uint16_t)(o->end - o->at))/)/' ;;
	VALUE_UNCHECKED) echo 's/if (n > end - f)/if (0)/' ;;
	PATH_UNCHECKED) echo 's/if (p->n < 2)/if (p->n < 3)/' ;;
	FULL_UNCHECKED) echo 's/if (s->n == s->cap)/if (0)/' ;;
	*) echo '' ;;
	esac
}

# one DIR DRIVER MUTANT EXPECTED: writes DIR/line, starting with ok or FAIL.
one() {
	dir=$1 driver=$2 mutant=$3 expected=$4
	rm -rf "$dir"
	mkdir -p "$dir/core" "$dir/proof"
	for f in "$here"/../core/*.[ch]; do
		sed "$(edit "$mutant")" "$f" >"$dir/core/${f##*/}"
	done
	cp -R "$here/eva" "$dir/proof/"
	verdict=FAIL got=unknown
	if [ "$mutant" != - ] && diff -rq "$here/../core" "$dir/core" >/dev/null; then
		got='the edit found nothing to edit'
	else
		# The parser is looked at with a step over an option as the driver has it, a frame with one step of its loop: see there.
		sed 's/^int edg_option_next(/int edg_option_next_itself(/' "$dir/core/coap.c" >"$dir/core/coap-renamed.c"
		sed -e 's/^    while (f < end) {/    if (f < end) {/' -e 's|^        f += n;|&\n        //@ assert step: f <= end;|' \
			-e 's|^    width = (uint8_t)(1u << .*|&\n    //@ split width;|' "$dir/core/frame.c" >"$dir/core/frame-step.c"
		[ "$(grep -c -E 'assert step|split width|^    if \(f < end\)' "$dir/core/frame-step.c")" = 3 ] || exit 1
		most=1280
		[ "$mutant" = - ] || most=300
		case $driver in
		frame) level="-eva-slevel-function frame:60,bound:60,named:20,number:20,judge:20" ;;
		request) level="-eva-slevel-function decimal:200,query:200,edg_option_rules:60,check_option:30,note_option:30,read_proof:60,place:20,option:30 -eva-auto-loop-unroll 32" ;;
		slip) level="-eva-slevel-function edg_slip_push:100 -eva-auto-loop-unroll 1300" ;;
		parse) level="-eva-slevel-function parse:30,edg_coap_parse:30,edg_option_next:10" ;;
		*) level="-eva-slevel 100 -eva-slevel-function driver:0 -eva-split-return full" ;;
		esac
		# x86_32: pointers and int have the size that suits a read too many best to be seen; lengths are of fixed size everywhere.
		# shellcheck disable=SC2086
		(cd "$dir/proof/eva" && frama-c -eva -main driver -machdep x86_32 -eva-ilevel 32 $level \
			-cpp-extra-args="-I$dir/core -DMOST=$most" "$driver.c" >"$dir/eva.log" 2>&1) || true
		if ! grep -q 'show_each_end' "$dir/eva.log"; then got='Eva did not get to the end'; fi
		if grep -q '^\[eva:alarm\]' "$dir/eva.log"; then got=alarm; elif [ "$got" = unknown ]; then got=holds; fi
	fi
	[ "$got" != "$expected" ] || verdict=ok
	printf '%-4s eva  %-11s %-17s %s\n' "$verdict" "$driver" "$(echo "$mutant" | sed 's/^-$/as it is/')" "$(echo "$got" | sed 's/^holds$/no alarm/')" >"$dir/line"
	[ "$verdict" = ok ] || printf '     see %s/eva.log\n' "$dir" >>"$dir/line"
}

if [ "$1" = --one ]; then
	shift
	one "$@"
	exit
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
rm -rf "$out"/*
echo "$table" | awk 'NF == 3 { print NR, $0 }' | while read -r n driver mutant expected; do
	echo "$out/$(printf %02d "$n")-$driver $driver $mutant $expected"
done | xargs -P "${2:-2}" -L 1 sh "$here/eva.sh" --one
cat "$out"/*/line
# shellcheck disable=SC2046
! grep -q '^FAIL' $(ls "$out"/*/line)
