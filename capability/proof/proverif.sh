#!/bin/sh
# Checks the ProVerif models of this folder, where proverif is installed: the RESULT lines of each must be as the comment at its top says, and
# so must those of its mutants. A mutant is made by dropping the lines that end in (*-NAME*) and taking in those in (*+NAME ... *).
# Where it is not installed this says so, and nothing counts as checked.
#
#   proverif.sh OUT     works in the directory OUT
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v proverif >/dev/null; then
	for f in "$here"/*.pv; do echo "---  proverif $(basename "$f" .pv): not run: proverif is not installed"; done
	exit 0
fi
mkdir -p "$1"
status=0

# check FILE NAME EXPECTED
check() {
	got=$(timeout 120 proverif "$1" 2>&1 | sed -n 's/^RESULT [^(].* \(is true\|is false\|cannot be proved\)\..*$/\1/p' | sed 's/^is //; s/cannot be proved/unknown/' | tr '\n' ' ' | sed 's/ $//')
	if [ "$got" = "$3" ]; then
		printf 'ok   proverif %-34s %s\n' "$2" "$got"
	else
		printf 'FAIL proverif %-34s %s, expected %s\n' "$2" "${got:-nothing}" "$3"
		status=1
	fi
}

for f in "$here"/*.pv; do
	model=$(basename "$f" .pv)
	check "$f" "$model" "$(sed -n 's/^ *expected: \([a-z ]*[a-z]\).*$/\1/p' "$f")"
	for m in $(sed -n 's/^ *mutant \([A-Z_0-9]*\):.*$/\1/p' "$f"); do
		sed -e "/(\*-$m\*)/d" -e "s/^\( *\)(\*+$m \(.*\) \*)\$/\1\2/" "$f" >"$1/$model-$m.pv"
		check "$1/$model-$m.pv" "$model $m" "$(sed -n "s/^ *mutant $m: \(\(true\|false\)\( \(true\|false\)\)*\).*\$/\1/p" "$f")"
	done
done
exit "$status"
