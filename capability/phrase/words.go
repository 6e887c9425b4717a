package phrase

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// The words of the grammar (docs/spec/phrase.md). No name may be one of them without quotes.
var (
	verbs  = []string{"read", "follow", "call", "append"}
	limits = []string{"until", "from", "for"}
	joints = []string{"and", "then"}
)

const timesWord = "times"

// grammarWord reports whether a word belongs to the grammar.
func grammarWord(word string) bool {
	return slices.Contains(verbs, word) || slices.Contains(limits, word) || slices.Contains(joints, word) || word == timesWord
}

// foreign are words that people use for what the grammar says otherwise, with how it says it.
var foreign = map[string]string{
	"all": `"*", which is every name`, "any": `"*", which is every name`, "everything": `"*", which is every name`,
	"till": `"until TIME"`, "til": `"until TIME"`, "by": `"until TIME"`, "before": `"until TIME"`, "to": `"until TIME"`, "expires": `"until TIME"`, "ends": `"until TIME"`,
	"after": `"from TIME"`, "since": `"from TIME"`, "starting": `"from TIME"`, "begins": `"from TIME"`, "on": `"from TIME until TIME"`,
	"within": `"for SPAN"`, "during": `"for SPAN"`, "in": `"for SPAN"`, "lasting": `"for SPAN"`,
	"once": `"1 times"`, "twice": `"2 times"`, "thrice": `"3 times"`, "time": `"N times"`,
	"max": boundsHint, "maximum": boundsHint, "min": boundsHint, "minimum": boundsHint, "most": boundsHint, "least": boundsHint, "under": boundsHint, "over": boundsHint,
	"below": boundsHint, "above": boundsHint, "between": boundsHint, "up": boundsHint, "less": boundsHint, "more": boundsHint, "limit": boundsHint, "limited": boundsHint, "at": boundsHint, "with": boundsHint,
	"every": "--rate 3/10m", "per": "--rate 3/10m", "daily": "--rate 1/18h", "hourly": "--rate 1/1h",
	"not": allowedHint, "no": allowedHint, "except": allowedHint, "without": allowedHint, "but": allowedHint, "never": allowedHint, "only": allowedHint, "nothing": allowedHint, "or": allowedHint,
	"get": `"read"`, "see": `"read"`, "view": `"read"`, "look": `"read"`,
	"watch": `"follow"`, "tail": `"follow"`, "observe": `"follow"`,
	"run": `"call"`, "use": `"call"`, "invoke": `"call"`, "set": `"call"`,
	"write": `"append"`, "put": `"append"`, "add": `"append"`,
}

const (
	boundsHint  = `bounds behind the names, as in "call valve 0..30"`
	allowedHint = "only what is allowed: leave out what is not"
)

var (
	dashRange = regexp.MustCompile(`^(-?[0-9]+)[-–—](-?[0-9]+)$`)
	number    = regexp.MustCompile(`^[-+]?[0-9.]+$`)
)

// likeGrammar returns what a word that is not quoted was probably meant to be, in the grammar's own words; "" if it is like
// nothing there.
func likeGrammar(word string, now time.Time) string {
	word = strings.ToLower(word)
	if hint, ok := foreign[word]; ok {
		return hint
	}
	if m := dashRange.FindStringSubmatch(word); m != nil {
		return fmt.Sprintf("%q", m[1]+".."+m[2])
	}
	if number.MatchString(word) {
		return fmt.Sprintf("\"%s..%s\" for the argument, or %q", word, word, word+" times")
	}
	if _, err := ParseSpan(word); err == nil {
		return fmt.Sprintf("%q", "for "+word)
	}
	if _, ok := parseDay(word, now); ok {
		return fmt.Sprintf("%q", "until "+word)
	}
	if near := nearest(word, slices.Concat(verbs, limits, joints, []string{timesWord})); near != "" {
		return fmt.Sprintf("%q", near)
	}
	return ""
}

// nearest returns the word that is fewest slips away: one for short words, two for those of six letters or more; "" if none
// is so near.
func nearest(word string, among []string) string {
	best, at := "", 3
	for _, other := range among {
		if d := slips(word, other); d < at && (d <= 1 || d == 2 && min(len(word), len(other)) >= 6) {
			best, at = other, d
		}
	}
	return best
}

// slips returns how many letters were left out, added, changed or swapped with the next between two words (the restricted
// Damerau-Levenshtein distance); words of more than 64 bytes are far from each other.
func slips(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	row := func() []int { return make([]int, len(b)+1) }
	before, last, this := row(), row(), row()
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		this[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			this[j] = min(last[j]+1, this[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				this[j] = min(this[j], before[j-2]+1)
			}
		}
		before, last, this = last, this, before
	}
	return last[len(b)]
}

// token is a word, a comma, or a name in quotes.
type token struct {
	text   string
	quoted bool
}

// is reports whether a token is one of these words of the grammar; quotes make it a name.
func (t token) is(words ...string) bool {
	return !t.quoted && slices.Contains(words, strings.ToLower(t.text))
}

func (t token) String() string { return fmt.Sprintf("%.60q", t.text) }

// split cuts a phrase into tokens.
func split(text string) ([]token, error) {
	var out []token
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		switch rest[0] {
		case ',':
			out, rest = append(out, token{text: ","}), rest[1:]
		case '"', '\'':
			end := strings.IndexByte(rest[1:], rest[0])
			if end < 0 {
				return nil, fmt.Errorf("the quote before %.40q is not closed", rest[1:])
			}
			after := rest[end+2:]
			if after != "" && after[0] != ',' && strings.TrimSpace(after[:1]) != "" {
				return nil, fmt.Errorf("%.40q stands right behind a quote", after)
			}
			out, rest = append(out, token{rest[1 : end+1], true}), after
		default:
			end := strings.IndexFunc(rest, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
			if end < 0 {
				end = len(rest)
			}
			if strings.ContainsAny(rest[:end], `"'`) {
				return nil, fmt.Errorf("%.40q has a quote inside", rest[:end])
			}
			out, rest = append(out, token{text: rest[:end]}), rest[end:]
		}
	}
	return out, nil
}
