# What spin.sh, eva.sh and horn.sh end with: SCRIPT OUT [JOBS] runs each row of $table, by one() in a directory of its own, where it leaves a line; prints
# the lines in the table's order, and fails if one of them does. Rows of mutants (the second column is no -) wait for the others, which take long.
#
#   one DIR COLUMN...     writes DIR/line, starting with ok or FAIL
if [ "$1" = --one ]; then
	shift
	rm -rf "$1"
	mkdir -p "$1"
	one "$@"
	exit
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
rm -rf "$out"/*
echo "$table" | awk -v out="$out" 'NF { printf "%d %s/%02d-%s %s\n", $2 != "-", out, ++n, $1, $0 }' | sort -k 1,1n -k 2 | cut -d ' ' -f 2- |
	xargs -P "${2:-2}" -L 1 sh "$0" --one
cat "$out"/*/line
! cat "$out"/*/line | grep -q '^FAIL'
