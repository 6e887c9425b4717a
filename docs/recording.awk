# Cuts the recorded terminal of `make demo` down to the commands that tell its story, and wraps them, for docs/demo.svg.
# `make recording` runs it, with LC_ALL=C: lengths are bytes here, and continuation bytes of UTF-8 are not counted.

BEGIN {
	width = 100
	kept = "device claim .*--name greenhouse|cap attenuate greenhouse/site read|greenhouse/valve (20|90) --cap greenhouse/anna|cap revoke greenhouse/anna|greenhouse/valve 10 --cap greenhouse/anna"
	left = "\\[1/5\\]|also ends" # lines of their answers that the story does not need
}

{ gsub(/\r/, ""); bare = $0; gsub(/\033\[[0-9;]*m/, "", bare) }

bare ~ /^ *[0-9]+  / { heading = $0; number = bare + 0; keep = 0; next } # a step's heading
bare ~ /^    [a-z]+ +\$ / { # a command
	keep = bare ~ kept && number != 7
	if (keep && heading != "") {
		if (printed++) print ""
		wrap(heading, "    ")
		heading = ""
	}
}
bare ~ /^    [^ ]/ && bare !~ /^    [a-z]+ +(\$|\|) / { keep = 0 } # what the demo says about it
bare == "" { keep = 0 }
keep && bare !~ left { wrap($0, "             ") }

END { if (printed != 4) { print "recording.awk: " printed + 0 " steps found, want 4" > "/dev/stderr"; exit 1 } }

# wrap prints a line of any length in lines of at most width columns; what follows is indented and has the style of the break.
function wrap(text, indent,    out, column, style, words, n, i, word, seen) {
	if (!match(text, /[^ ]/)) { print ""; return }
	out = substr(text, 1, RSTART - 1); column = RSTART - 1
	n = split(substr(text, RSTART), words, / /)
	for (i = 1; i <= n; i++) {
		word = words[i]; seen = word
		gsub(/\033\[[0-9;]*m/, "", seen); gsub(/[\200-\277]/, "", seen)
		if (i > 1 && seen != "" && column + 1 + length(seen) > width) {
			print out (style != "" ? "\033[0m" : "")
			out = indent style; column = length(indent)
		} else if (i > 1) { out = out " "; column++ }
		out = out word; column += length(seen)
		while (match(word, /\033\[[0-9;]*m/)) {
			style = substr(word, RSTART, RLENGTH)
			if (style == "\033[0m") style = ""
			word = substr(word, RSTART + RLENGTH)
		}
	}
	print out
}
