#!/bin/sh
# Runs Frama-C's Eva over the parsers with any input (the drivers in eva/): no alarm may be left. And over mutants, each with a check taken out: every one
# must give an alarm. One line each; fails if one is not as it says.
#
#   eva.sh OUT [JOBS]     works in the directory OUT
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# driver, mutant (an edit below), what must come out; the long ones first
table='
parse       -                 holds
frame       -                 holds
request     -                 holds
link        -                 holds
chain       -                 holds
carried     -                 holds
program     -                 holds
option_next -                 holds
constraint  -                 holds
slip        -                 holds
parse       SHORT_UNCHECKED   alarm
frame       PAYLOAD_UNCHECKED alarm
request     OPEN_UNCHECKED    alarm
link        TOTAL_UNCHECKED   alarm
chain       CELL_UNCHECKED    alarm
carried     ITEM_UNCHECKED    alarm
program     LABEL_UNCHECKED   alarm
option_next LENGTH_UNCHECKED  alarm
constraint  VALUE_UNCHECKED   alarm
slip        FULL_UNCHECKED    alarm
'

# edit MUTANT: the file, and a sed script for it
edit() {
	case $1 in
	SHORT_UNCHECKED) echo 'core/private.c s/if (n < 1 + EDG_PRIVATE_TAG)/if (0)/' ;;
	PAYLOAD_UNCHECKED) echo 'core/frame.c s/ || (uint16_t)(v\[0\] + width) > r->m.payload_len)/)/' ;;
	OPEN_UNCHECKED) echo 'core/request.c s/ || len < 48)/)/' ;;
	TOTAL_UNCHECKED) echo 'port/net/udp.c s/ || total > n - NET_ETHERNET//' ;;
	CELL_UNCHECKED) echo 'core/chain.c s/ \&\& w.count\[1\] < EDG_CELLS//' ;;
	ITEM_UNCHECKED) echo 'core/carried.c s/ || i->len + behind > left)/)/' ;;
	LABEL_UNCHECKED) echo 'core/program_check.c s/if (label >= c->blocks)/if (0)/' ;;
	LENGTH_UNCHECKED) echo 'core/coap.c s/ || len > (edg_len)(o->end - o->at))/)/' ;;
	VALUE_UNCHECKED) echo 'core/frame.c s/if (t->n > t->end - t->at)/if (0)/' ;;
	FULL_UNCHECKED) echo 'core/slip.c s/if (s->n == s->cap)/if (0)/' ;;
	esac
}

# change FILE SCRIPT: fails if there is nothing to change.
change() {
	sed "$2" "$1" >"$1.new"
	if cmp -s "$1" "$1.new"; then
		echo "$1: nothing to change for $2"
		return 1
	fi
	mv "$1.new" "$1"
}

# apart FILE FUNCTION: what walks is looked at by itself, as FUNCTION_itself, and who calls it gets the driver's, which promises no more.
apart() { change "$1" "s/^\(static \)\{0,1\}\([a-z][a-z0-9_]* \)$2(\(.*\)/\2$2(\3;\n\1\2$2_itself(\3/"; }

# prepare DIR MUTANT
prepare() {
	cd "$1"
	if [ "$2" != - ]; then
		set -- $(edit "$2" | sed 's/ .*//') "$(edit "$2" | sed 's/[^ ]* //')"
		change "$1" "$2" || return 1
	fi
	apart core/coap.c edg_option_next && apart core/carried.c edg_item_next && apart core/carried.c edg_part_has &&
		apart core/frame.c edg_constraint_next && apart core/program_check.c number &&
		change core/frame.c 's/(r->scratch + (0 - (uintptr_t)r->scratch) % [^)]*)/r->scratch/' # Eva knows no address: the driver's is aligned
}

# levels DRIVER: how many states Eva keeps apart, and where
levels() {
	case $1 in
	parse) echo '-eva-slevel-function parse:30,private:30,edg_private_open:30,edg_coap_parse:30,edg_coap_body:4 -eva-split-return-function edg_coap_parse:full,edg_coap_body:full' ;;
	frame) echo '-eva-slevel-function frame:6,bound:60,edg_number:20,limit:60,edg_item_next:20 -eva-split-return-function edg_item_next:full' ;;
	request) echo '-eva-slevel-function decimal:200,query:200,edg_option_rules:60,check_option:30,note_option:30,read_proof:60,place:20,option:30 -eva-split-return-function decimal:full -eva-auto-loop-unroll 32' ;;
	link) echo '-eva-slevel-function net_udp_payload:30,sum:800,net_is_near:50 -eva-auto-loop-unroll 760' ;;
	chain) echo '-eva-interprocedural-splits -eva-slevel-function edg_item_next:50,edg_chain_session:20,edg_same:50,edg_chain_settle:20,settle:3,part_session:3 -eva-split-return-function part_session:full,edg_chain_session:full,edg_owner_key:full,branch_key:full' ;;
	carried) echo '-eva-slevel-function step:50,edg_item_next_itself:50,edg_item_next:50,edg_part_has_itself:30 -eva-split-return-function edg_item_next_itself:full' ;;
	program) echo '-eva-slevel-function instruction:100,plain:100,branch:50,number:10,number_itself:60,block:20,binary:50,compare:30,load:20,shift:400,count:100,pop:50,edg_program_value:20 -eva-auto-loop-unroll 33' ;;
	slip) echo '-eva-slevel-function edg_slip_push:100 -eva-auto-loop-unroll 1300' ;;
	*) echo '-eva-slevel 100 -eva-slevel-function driver:0 -eva-split-return full' ;;
	esac
}

# one DIR DRIVER MUTANT EXPECTED
one() {
	dir=$1 driver=$2 mutant=$3 expected=$4
	mkdir "$dir/proof" "$dir/port"
	cp -R "$here/eva" "$dir/proof/"
	cp -R "$here/../core" "$dir/"
	cp -R "$here/../port/net" "$dir/port/"
	verdict=FAIL got='Eva did not get to the end' most=1280 stop=
	if ! (prepare "$dir" "$mutant") >"$dir/eva.log" 2>&1; then
		got='found nothing to edit'
	else
		[ "$mutant" = - ] || most=300 stop='-eva-stop-at-nth-alarm 1' # the longest message: mutants need none so long
		[ "$driver" != link ] || most=1514
		# x86_32: pointers and int have the size that suits a read too many best to be seen; lengths are of fixed size everywhere.
		# shellcheck disable=SC2046,SC2086
		(cd "$dir/proof/eva" && frama-c -eva -main driver -machdep x86_32 -eva-ilevel 64 $stop $(levels "$driver") \
			-cpp-extra-args="-I$dir/core -DEDG_PROGRAM=1 -DEDG_PRIVACY=1 -DMOST=$most" "$driver.c" >"$dir/eva.log" 2>&1) || true
		if grep -q '^\[eva:alarm\]' "$dir/eva.log"; then
			got=alarm
		elif grep -q 'show_each_end' "$dir/eva.log"; then
			got=holds
		fi
	fi
	[ "$got" != "$expected" ] || verdict=ok
	printf '%-4s eva  %-11s %-17s %s\n' "$verdict" "$driver" "$(echo "$mutant" | sed 's/^-$/as it is/')" "$(echo "$got" | sed 's/^holds$/no alarm/')" >"$dir/line"
	[ "$verdict" = ok ] || printf '     see %s/eva.log\n' "$dir" >>"$dir/line"
}

# shellcheck source=firmware/proof/rows.sh
. "$here/rows.sh"
