package phrase

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	now := time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC) // a Friday
	day := func(d int) time.Time { return time.Date(2026, 11, d, 23, 59, 59, 0, time.UTC) }
	for _, tt := range []struct {
		text string
		want Wish
	}{
		{"read temperature until friday", Wish{Read: []string{"temperature"}, Until: day(27)}},
		{"read temperature and events, call valve 0..30 for 2h", Wish{Read: []string{"temperature", "events"}, Call: []string{"valve"}, Arg: "0..30", Until: now.Add(2 * time.Hour)}},
		{"follow temp* from 2026-11-28 until 2026-11-30 18:00", Wish{Tail: []string{"temp*"}, From: time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 30, 18, 0, 0, 0, time.UTC)}},
		{"read temperature 1..100", Wish{Read: []string{"temperature"}, Entries: "1..100"}},
		{"Call lock.front u16:0..300 and append notes", Wish{Call: []string{"lock.front"}, Arg: "u16:0..300", Append: []string{"notes"}}},
		{"until tomorrow", Wish{Until: day(28)}},
		{"call valve 0..30 5 times until friday", Wish{Call: []string{"valve"}, Arg: "0..30", Count: 5, Until: day(27)}},
		{"3 times", Wish{Count: 3}},
	} {
		if got, err := Parse(tt.text, now, nil); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{
		"", "and", "temperature", "read", "read until friday", "read temperature until", "read temperature until someday", "call valve 0..30 and pump 0..40",
		"append notes 1..2", "read temperature for friday", "read temperature until friday until monday", "read temperature from friday from monday", "until yesterday",
		"call valve 0 times", "call valve 256 times", "call valve 2 times, 3 times", "call valve many times until",
	} {
		if got, err := Parse(text, now, nil); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", text, got)
		}
	}
}

// TestAPhraseIsClosed holds phrases that a parser which passes unknown words over, or takes them for names, would read as a
// capability broader than what was meant.
func TestAPhraseIsClosed(t *testing.T) {
	now := time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC)
	for text, hint := range map[string]string{
		"read temperature till friday":              `"till" is not understood; did you mean "until TIME"?`,
		"read temperature utnil friday":             `did you mean "until"?`,
		"read temperature by friday":                `"until TIME"`,
		"read temperature before friday":            `"until TIME"`,
		"read temperature and till friday":          `"till" is not understood`,
		"read temperature, till":                    `"till" is not understood`,
		"read temperature within 2h":                `"for SPAN"`,
		"read temperature 2h":                       `"for 2h"`,
		"read temperature friday":                   `"until friday"`,
		"call valve max 30":                         `bounds behind the names`,
		"call valve 0-30":                           `"0..30"`,
		"call valve 0–30":                           `"0..30"`,
		"call valve 30":                             `"30..30" for the argument, or "30 times"`,
		"call valve once":                           `"1 times"`,
		"call valve 1 time":                         `"1 times"`,
		"call valve, once":                          `"1 times"`,
		"read temperature not events":               `only what is allowed`,
		"read temperature, not events":              `only what is allowed`,
		"read temperature except events":            `only what is allowed`,
		"read temperature events":                   `needs "and" or a comma`,
		"read all until friday":                     `"*"`,
		"call valve 0..30 and pump":                 `a verb of its own`,
		"call valve 0..30 and call pump":            `one wish has one for all of its functions`,
		"call pump and call valve 0..30":            `one wish has one for all of its functions`,
		"read temperature 1..5 and follow events":   `one wish has one for all of its logs`,
		"call valve 0..30 until friday or saturday": `not understood`,
		"call valve 0..30 until friday, saturday":   `"until saturday"`,
		"read temperature for 2h 30m":               `no span of time`,
		"read temperature for 1.0005s":              `too fine`,
		"read temperature for 0s":                   `over at once`,
		"read temperature for 999w":                 ``,
		"read temperature,":                         `nothing follows ","`,
		"read temperature and":                      `nothing follows "and"`,
		"read temperature,, events":                 ``,
		"and read temperature":                      ``,
		"read read":                                 `a name is missing`,
		"read times":                                `is a word of the grammar`,
		"read then":                                 `a name is missing`,
		`read "temperature`:                         `not closed`,
		`read "temperature"events`:                  `right behind a quote`,
		`read temper"ature"`:                        `quote inside`,
		`read "Temperature"`:                        `a-z 0-9`,
		`"temperature"`:                             `has no verb`,
		"call valve 99999999999999999999 times":     `a count is 1 to 255`,
		"call valve 0..300":                         `argument "0..300"`,
		"read temperature 5..2":                     `no range`,
	} {
		got, err := Parse(text, now, nil)
		if text == "read temperature for 999w" {
			if err != nil || got.Until.IsZero() {
				t.Errorf("Parse(%q) = %+v, %v", text, got, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("Parse(%q) = %+v, %v, want an error with %q", text, got, err, hint)
		}
	}
	for text, want := range map[string]Wish{
		`read "till" and 'once'`:                {Read: []string{"till", "once"}},
		`read "temp*", and follow *`:            {Read: []string{"temp*"}, Tail: []string{"*"}},
		"call valve 0..30 then call pump 0..30": {Call: []string{"valve", "pump"}, Arg: "0..30"},
		"read a.b, c-d then e_f":                {Read: []string{"a.b", "c-d", "e_f"}},
	} {
		if got, err := Parse(text, now, nil); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestNamesOfAKnownService(t *testing.T) {
	now := time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC)
	greenhouse := &Vocabulary{Service: "greenhouse", Logs: []string{"temperature", "till", "events"}, Functions: []string{"valve"}}
	for text, hint := range map[string]string{
		"read tempratures":             `greenhouse has no log "tempratures"; did you mean "temperature"?`,
		"read valve":                   `greenhouse has no log "valve"; it has temperature, till, events`,
		"call temperature":             `greenhouse has no function "temperature"; it has valve`,
		"read hum*":                    `greenhouse has no log "hum*"`,
		"read temperature till friday": `"till" is not understood`, // names are joined
		"read until":                   `a name is missing`,
		"read once":                    `did you mean "1 times"?`,
	} {
		if got, err := Parse(text, now, greenhouse); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("Parse(%q) = %+v, %v, want an error with %q", text, got, err, hint)
		}
	}
	for text, want := range map[string]Wish{
		"read temperature and till":       {Read: []string{"temperature", "till"}},
		"read temp* and call *":           {Read: []string{"temp*"}, Call: []string{"*"}},
		`read "humidity" and call "pump"`: {Read: []string{"humidity"}, Call: []string{"pump"}},
	} {
		if got, err := Parse(text, now, greenhouse); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
}

// TestTheSpecificationHasEveryWord compares the words of the code with those of docs/spec/phrase.md.
func TestTheSpecificationHasEveryWord(t *testing.T) {
	raw, err := os.ReadFile("../../docs/spec/phrase.md")
	if err != nil {
		t.Fatal(err)
	}
	_, grammar, _ := strings.Cut(string(raw), "## Grammar")
	grammar, _, _ = strings.Cut(grammar, "## Meaning")
	var terminals []string
	for _, m := range regexp.MustCompile(`"([a-z]+)"`).FindAllStringSubmatch(grammar, -1) {
		terminals = append(terminals, m[1])
	}
	want := slices.Concat(verbs, limits, joints, []string{timesWord, "today", "tomorrow", "le"})
	for _, u := range spanUnits {
		want = append(want, u.name)
	}
	for _, word := range want {
		if !slices.Contains(terminals, word) {
			t.Errorf("the grammar of the specification has no %q", word)
		}
	}
	for _, word := range terminals {
		if !slices.Contains(want, word) {
			t.Errorf("the grammar of the specification has %q, the code does not", word)
		}
	}
	never := fmt.Sprintf("`%s`", strings.Join(slices.Concat(verbs, limits, joints, []string{timesWord}), " "))
	if !strings.Contains(string(raw), never) {
		t.Errorf("the specification does not say that %s are never bare names", never)
	}
}

// reading is what the grammar says of a text if every token of it counts: the broadest that any reading could allow.
type reading struct {
	names               map[string][]string
	arg, entries        bool
	until, from, counts bool
}

var phraseToken = regexp.MustCompile(`"[^"]*"|'[^']*'|,|[^\s,]+`)

// readByGrammar is a second reader of docs/spec/phrase.md that only sorts tokens. It refuses nothing.
func readByGrammar(text string) reading {
	r := reading{names: map[string][]string{}}
	tokens := phraseToken.FindAllString(text, -1)
	verb, inTime := "", false
	for i := 0; i < len(tokens); i++ {
		word := strings.ToLower(tokens[i])
		switch {
		case strings.Trim(word, "0123456789") == "" && i+1 < len(tokens) && strings.EqualFold(tokens[i+1], "times"):
			r.counts, inTime, verb = true, false, ""
			i++
		case slices.Contains([]string{"read", "follow", "call", "append"}, word):
			verb, inTime = word, false
		case word == "until" || word == "for":
			r.until, inTime, verb = true, true, ""
		case word == "from":
			r.from, inTime, verb = true, true, ""
		case word == "," || word == "and" || word == "then":
			inTime = false
		case inTime:
		case strings.Contains(word, "..") || strings.Contains(word, ":") && word[0] != '"' && word[0] != '\'':
			r.arg = r.arg || verb == "call"
			r.entries = r.entries || verb == "read" || verb == "follow"
		default:
			r.names[verb] = append(r.names[verb], strings.Trim(tokens[i], `"'`))
		}
	}
	return r
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"read temperature until friday", "read temperature and events, call valve 0..30 for 2h", "follow temp* from 2026-12-01 until 2026-12-31 18:00",
		"call valve 0..30 5 times until friday", `read "till", 'once' and append notes 3 times`, "read temperature till friday", "call valve u16:0..300@2, then follow * 41..",
		"until tomorrow", "3 times", "read a from 2026-11-27T15:00:00Z for 1h30m",
	} {
		f.Add(seed)
	}
	now := time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC)
	slip := regexp.MustCompile(`^(till|by|within|max|once|not|except|only|friday|[0-9]+[hdwms]|[0-9]+-[0-9]+|until|from|for|times)$`)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := Parse(text, now, nil)
		if err != nil {
			return
		}
		r := readByGrammar(text)
		for verb, got := range map[string][]string{"read": w.Read, "follow": w.Tail, "call": w.Call, "append": w.Append, "": nil} {
			if !slices.Equal(got, r.names[verb]) {
				t.Errorf("%q allows to %s %q, the grammar %q", text, verb, got, r.names[verb])
			}
			for _, name := range got {
				if slip.MatchString(name) && !strings.Contains(text, `"`+name+`"`) && !strings.Contains(text, `'`+name+`'`) {
					t.Errorf("%q takes %q for a name", text, name)
				}
			}
		}
		if r.arg != (w.Arg != "") || r.entries != (w.Entries != "") || r.until != !w.Until.IsZero() || r.from != !w.From.IsZero() || r.counts != (w.Count != 0) {
			t.Errorf("%q is %+v, the grammar says %+v", text, w, r)
		}
		if again, err := Parse(w.Text(now), now, nil); err != nil || !reflect.DeepEqual(again, w) {
			t.Errorf("%q is said again as %q, which is %+v, %v, not %+v", text, w.Text(now), again, err, w)
		}
		if s, err := w.Spec(); err == nil {
			if frame, err := s.Encode(); err == nil {
				describes(t, w, frame.Describe())
			}
		}
	})
}

// describes checks that the sentence of a frame names all that the wish does.
func describes(t *testing.T, w Wish, text string) {
	t.Helper()
	for _, name := range slices.Concat(w.Read, w.Tail, w.Call, w.Append) {
		if !strings.Contains(text, name) {
			t.Errorf("%q does not name %q", text, name)
		}
	}
	for word, said := range map[string]bool{"until ": !w.Until.IsZero(), "from ": !w.From.IsZero(), "argument ": w.Arg != "", "entries ": w.Entries != ""} {
		if said && !strings.Contains(text, word) {
			t.Errorf("%q does not say %q", text, word)
		}
	}
}
