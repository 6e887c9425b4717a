package phrase

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry"
)

// MaxPhrase bounds a phrase in bytes.
const MaxPhrase = 1024

// Vocabulary is what the service of a phrase has, where that is known.
type Vocabulary struct {
	Service         string // its name, for messages
	Logs, Functions []string
}

// Parse reads a wish as people say it:
//
//	read temperature until friday
//	read temperature and events, call valve 0..30 for 2h
//	follow temp* from 2026-12-01 until 2026-12-31
//
// The grammar is closed (docs/spec/phrase.md): every word is understood or the phrase is an error, so no slip allows more
// than was said. A name that known does not have needs quotes; with no vocabulary known, one that is like a word of the
// grammar does.
func Parse(text string, now time.Time, known *Vocabulary) (Wish, error) {
	if len(text) > MaxPhrase {
		return Wish{}, fmt.Errorf("wish of %d bytes: at most %d, more than a frame can say", len(text), MaxPhrase)
	}
	tokens, err := split(text)
	p := parser{tokens: tokens, now: now, known: known}
	if err == nil {
		err = p.phrase()
	}
	if err != nil {
		return Wish{}, fmt.Errorf("wish %.80q: %w (like: read temperature until friday)", text, err)
	}
	return p.wish, nil
}

type parser struct {
	tokens []token
	now    time.Time
	known  *Vocabulary
	wish   Wish

	// The bounds of each grant, "" for none: one frame has one for all of its functions, and one for all of its logs.
	args, entries []string
}

func (p *parser) done() bool { return len(p.tokens) == 0 }

func (p *parser) next() token {
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

func (p *parser) phrase() error {
	if p.done() {
		return fmt.Errorf("it asks for nothing")
	}
	for {
		if err := p.clause(); err != nil {
			return err
		}
		if p.done() {
			return p.oneBound()
		}
		if joint := p.tokens[0]; p.joint() && p.done() {
			return fmt.Errorf("nothing follows %v", joint)
		}
	}
}

// joint takes a comma, "and" or "then", or a comma with one of the two.
func (p *parser) joint() bool {
	comma := !p.done() && p.tokens[0].is(",")
	if comma {
		p.next()
	}
	word := !p.done() && p.tokens[0].is(joints...)
	if word {
		p.next()
	}
	return comma || word
}

// begins reports whether a clause begins here.
func (p *parser) begins() bool {
	_, counts := p.times()
	return counts || !p.done() && (p.tokens[0].is(verbs...) || p.tokens[0].is(limits...))
}

// times reports whether "5 times" comes next. A number that is too long for a count is one too, and is refused there.
func (p *parser) times() (count string, ok bool) {
	if len(p.tokens) < 2 || p.tokens[0].quoted || !p.tokens[1].is(timesWord) {
		return "", false
	}
	count = p.tokens[0].text
	return count, count != "" && strings.Trim(count, "0123456789") == ""
}

func (p *parser) clause() error {
	if count, ok := p.times(); ok {
		return p.count(count)
	}
	switch t := p.next(); {
	case t.is("read"):
		return p.grant(t, &p.wish.Read, &p.entries)
	case t.is("follow"):
		return p.grant(t, &p.wish.Tail, &p.entries)
	case t.is("call"):
		return p.grant(t, &p.wish.Call, &p.args)
	case t.is("append"):
		return p.grant(t, &p.wish.Append, nil)
	case t.is("until"):
		return p.until(ParseUntil)
	case t.is("for"):
		return p.until(func(text string, now time.Time) (time.Time, error) {
			d, err := wholeSeconds(text)
			if err == nil && d == 0 {
				err = fmt.Errorf("%q is over at once", "for "+text)
			}
			return now.UTC().Truncate(time.Second).Add(d), err
		})
	case t.is("from"):
		return p.from()
	default:
		return p.unknown(t)
	}
}

// unknown returns what a word that the grammar does not have here was probably meant to be.
func (p *parser) unknown(t token) error {
	if t.quoted {
		return fmt.Errorf("the name %v has no verb: say %s", t, list(verbs))
	}
	if hint := likeGrammar(t.text, p.now); hint != "" && !grammarWord(strings.ToLower(t.text)) {
		return fmt.Errorf("%v is not understood; did you mean %s?", t, hint)
	}
	if len(p.wish.Read)+len(p.wish.Tail)+len(p.wish.Call)+len(p.wish.Append) > 0 && checkName(t.text) == nil {
		return fmt.Errorf("%v is not understood; a further name needs \"and\" or a comma, and a verb of its own behind bounds or a limit", t)
	}
	return fmt.Errorf("%v is none of %s", t, list(slices.Concat(verbs, limits)))
}

func list(words []string) string { return strings.Join(words, ", ") }

func (p *parser) count(text string) error {
	p.next()
	p.next()
	if p.wish.Count != 0 {
		return fmt.Errorf("two counts: one wish has one")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > math.MaxUint8 {
		return fmt.Errorf("%.20s times: a count is 1 to %d", text, math.MaxUint8)
	}
	p.wish.Count = n
	return nil
}

// grant reads names joined by "and" or commas, then bounds; bounds is nil where there are none.
func (p *parser) grant(verb token, names, bounds *[]string) error {
	for {
		name, err := p.name(verb)
		if err != nil {
			return err
		}
		*names = append(*names, name)
		before := p.tokens
		if !p.joint() || p.done() || p.begins() {
			p.tokens = before
			break
		}
	}
	if bounds == nil {
		if !p.done() && isRange(p.tokens[0]) {
			return fmt.Errorf("%v bounds nothing here", p.tokens[0])
		}
		return nil
	}
	bound := ""
	if !p.done() && isRange(p.tokens[0]) {
		bound = p.next().text
		var err error
		if verb.is("call") {
			_, err = ParseBound(bound)
		} else {
			_, err = parseEntries(bound)
		}
		if err != nil {
			return err
		}
	}
	*bounds = append(*bounds, bound)
	return nil
}

// isRange distinguishes bounds from names: names may hold single dots, never two in a row.
func isRange(t token) bool {
	return !t.quoted && (strings.Contains(t.text, "..") || strings.Contains(t.text, ":"))
}

// name reads the name of a log or function.
func (p *parser) name(verb token) (string, error) {
	if p.done() || p.begins() || p.tokens[0].is(",") || p.tokens[0].is(joints...) || isRange(p.tokens[0]) {
		return "", fmt.Errorf("a name is missing behind %v", verb)
	}
	t := p.next()
	if t.quoted {
		return t.text, checkName(t.text)
	}
	lower := strings.ToLower(t.text)
	if grammarWord(lower) {
		return "", fmt.Errorf("%v is a word of the grammar; as a name it needs quotes: %s '\"%s\"'", t, verb.text, lower)
	}
	if p.known == nil {
		if hint := likeGrammar(t.text, p.now); hint != "" {
			return "", fmt.Errorf("%v is not understood; did you mean %s? As a name it needs quotes: '\"%s\"'", t, hint, lower)
		}
		return t.text, checkName(t.text)
	}
	have, kind := p.known.Logs, "log"
	if verb.is("call") {
		have, kind = p.known.Functions, "function"
	}
	if has(have, t.text) {
		return t.text, checkName(t.text)
	}
	text := fmt.Sprintf("%s has no %s %v", p.known.Service, kind, t)
	if near := nearest(lower, have); near != "" {
		return "", fmt.Errorf("%s; did you mean %q? As it stands it needs quotes: '\"%s\"'", text, near, lower)
	}
	if hint := likeGrammar(t.text, p.now); hint != "" {
		return "", fmt.Errorf("%s; did you mean %s?", text, hint)
	}
	return "", fmt.Errorf("%s; it has %s. A name that it does not have yet needs quotes: '\"%s\"'", text, orNone(have), lower)
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return list(names)
}

// has reports whether a service has a name, or one that a prefix ("temp*") stands for.
func has(names []string, text string) bool {
	prefix, all := strings.CutSuffix(text, "*")
	if text == "*" {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool { return name == text || all && strings.HasPrefix(name, prefix) })
}

// checkName reports what is wrong with a name, or with the beginning of one that ends in "*".
func checkName(text string) error {
	prefix, all := strings.CutSuffix(text, "*")
	if all && prefix == "" {
		return nil
	}
	return edgeistry.CheckName(prefix)
}

// oneBound refuses bounds that would hold for more than they stand behind: a frame has one for all of its functions, and
// one for all of its logs.
func (p *parser) oneBound() error {
	for _, of := range []struct {
		bounds []string
		into   *string
		names  string
	}{{p.args, &p.wish.Arg, "functions"}, {p.entries, &p.wish.Entries, "logs"}} {
		for _, b := range of.bounds {
			if b != of.bounds[0] {
				return fmt.Errorf("%.40q is not the bound of all: one wish has one for all of its %s; make two capabilities", max(b, of.bounds[0]), of.names)
			}
			*of.into = b
		}
	}
	return nil
}

// rest takes the words of a time, up to the next clause or joint.
func (p *parser) rest() string {
	var words []string
	for !p.done() && !p.tokens[0].quoted && !p.begins() && !p.tokens[0].is(",") && !p.tokens[0].is(joints...) {
		words = append(words, p.next().text)
	}
	return strings.Join(words, " ")
}

func (p *parser) until(read func(string, time.Time) (time.Time, error)) error {
	if !p.wish.Until.IsZero() {
		return fmt.Errorf("two ends: one wish has one")
	}
	var err error
	p.wish.Until, err = read(p.rest(), p.now)
	return err
}

func (p *parser) from() error {
	if !p.wish.From.IsZero() {
		return fmt.Errorf("two beginnings: one wish has one")
	}
	var err error
	p.wish.From, err = ParseFrom(p.rest(), p.now)
	return err
}

// Text returns the phrase that Parse reads as this wish, as far as words can say it: names with bounds, beginning, end and
// count. now decides which names need quotes.
func (w Wish) Text(now time.Time) string {
	var clauses []string
	for _, g := range []struct {
		verb   string
		names  []string
		bounds string
	}{{"read", w.Read, w.Entries}, {"follow", w.Tail, w.Entries}, {"call", w.Call, w.Arg}, {"append", w.Append, ""}} {
		if len(g.names) == 0 {
			continue
		}
		names := make([]string, len(g.names))
		for i, name := range g.names {
			names[i] = name
			if grammarWord(name) || likeGrammar(name, now) != "" {
				names[i] = `"` + name + `"`
			}
		}
		clauses = append(clauses, strings.TrimSpace(g.verb+" "+strings.Join(names, " and ")+" "+g.bounds))
	}
	var ends []string
	if !w.From.IsZero() {
		ends = append(ends, "from "+w.From.UTC().Format(time.RFC3339))
	}
	if !w.Until.IsZero() {
		ends = append(ends, "until "+w.Until.UTC().Format(time.RFC3339))
	}
	if w.Count != 0 {
		ends = append(ends, fmt.Sprintf("%d %s", w.Count, timesWord))
	}
	return strings.TrimSpace(strings.Join(clauses, ", ") + " " + strings.Join(ends, " "))
}
