package phrase

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parse reads a wish as people say it:
//
//	read temperature until friday
//	read temperature and events, call valve 0..30 for 2h
//	follow temp* from 2026-12-01 until 2026-12-31
//
// It begins with what is allowed: read, follow, call or append, then names, joined by "and" or commas. A range of numbers
// behind the names bounds the argument of a call, or the entries of a read. Limits follow: until TIME, from TIME (both as
// ParseUntil has them; a day that something is from means its beginning), for SPAN, or N times.
func Parse(text string, now time.Time) (Wish, error) {
	p := parser{words: strings.Fields(strings.ReplaceAll(text, ",", " , ")), now: now}
	for !p.done() {
		if err := p.clause(); err != nil {
			return Wish{}, fmt.Errorf("wish %.80q: %w (like: read temperature until friday)", text, err)
		}
	}
	if len(p.wish.Read)+len(p.wish.Tail)+len(p.wish.Call)+len(p.wish.Append) == 0 && p.wish.Until.IsZero() && p.wish.From.IsZero() && p.wish.Count == 0 {
		return Wish{}, fmt.Errorf("wish %.80q asks for nothing (like: read temperature until friday)", text)
	}
	return p.wish, nil
}

type parser struct {
	words []string
	now   time.Time
	wish  Wish
}

var (
	phraseVerbs  = []string{"read", "follow", "call", "append"}
	phraseLimits = []string{"until", "from", "for"}
	phraseJoints = []string{"and", ",", "then"}
)

func (p *parser) done() bool { return len(p.words) == 0 }

// keyword says whether the next word begins something new.
func (p *parser) keyword() bool {
	w := strings.ToLower(p.words[0])
	_, times := p.times()
	return times || slices.Contains(phraseVerbs, w) || slices.Contains(phraseLimits, w)
}

// times says whether "5 times" comes next.
func (p *parser) times() (n int, ok bool) {
	if len(p.words) < 2 || strings.ToLower(p.words[1]) != "times" {
		return 0, false
	}
	n, err := strconv.Atoi(p.words[0])
	return n, err == nil
}

func (p *parser) next() string {
	w := p.words[0]
	p.words = p.words[1:]
	return w
}

// skipJoints passes "and" and commas over, so that nobody has to think about them.
func (p *parser) skipJoints() {
	for !p.done() && slices.Contains(phraseJoints, strings.ToLower(p.words[0])) {
		p.next()
	}
}

func (p *parser) clause() error {
	p.skipJoints()
	if p.done() {
		return nil
	}
	if n, ok := p.times(); ok {
		return p.count(n)
	}
	word := p.next()
	switch strings.ToLower(word) {
	case "read":
		return p.grant(&p.wish.Read, &p.wish.Entries)
	case "follow":
		return p.grant(&p.wish.Tail, &p.wish.Entries)
	case "call":
		return p.grant(&p.wish.Call, &p.wish.Arg)
	case "append":
		return p.grant(&p.wish.Append, nil)
	case "until":
		return p.time(&p.wish.Until, false)
	case "from":
		return p.time(&p.wish.From, true)
	case "for":
		text := p.rest()
		if _, ok := parseSpan(strings.ToLower(text)); !ok {
			return fmt.Errorf("%q is no span of time (like 90s, 15m, 2h, 3d, 1w)", text)
		}
		return p.until(text)
	}
	return fmt.Errorf("%q is none of %s", word, strings.Join(append(slices.Clone(phraseVerbs), phraseLimits...), ", "))
}

func (p *parser) count(n int) error {
	p.next()
	p.next()
	if p.wish.Count != 0 {
		return fmt.Errorf("two counts: one wish has one")
	}
	if n < 1 || n > math.MaxUint8 {
		return fmt.Errorf("%d times: a count is 1 to %d", n, math.MaxUint8)
	}
	p.wish.Count = n
	return nil
}

// grant reads names up to the next keyword, and a range in between for bounds, which may be nil.
func (p *parser) grant(names *[]string, bounds *string) error {
	before := len(*names)
	for p.skipJoints(); !p.done() && !p.keyword(); p.skipJoints() {
		word := p.next()
		switch {
		case !isRange(word):
			*names = append(*names, word)
		case bounds == nil:
			return fmt.Errorf("%q bounds nothing here", word)
		case *bounds != "" && *bounds != word:
			return fmt.Errorf("two bounds, %q and %q: one wish has one", *bounds, word)
		default:
			*bounds = word
		}
	}
	if len(*names) == before {
		return fmt.Errorf("a name is missing")
	}
	return nil
}

// isRange tells bounds from names: names may hold single dots, never two in a row.
func isRange(word string) bool { return strings.Contains(word, "..") || strings.Contains(word, ":") }

// rest takes the words up to the next keyword.
func (p *parser) rest() string {
	var words []string
	for !p.done() && !p.keyword() && !slices.Contains(phraseJoints, strings.ToLower(p.words[0])) {
		words = append(words, p.next())
	}
	return strings.Join(words, " ")
}

func (p *parser) until(text string) error {
	if !p.wish.Until.IsZero() {
		return fmt.Errorf("two ends: one wish has one")
	}
	var err error
	p.wish.Until, err = ParseUntil(text, p.now)
	return err
}

func (p *parser) time(at *time.Time, beginning bool) error {
	if !beginning {
		return p.until(p.rest())
	}
	if !at.IsZero() {
		return fmt.Errorf("two beginnings: one wish has one")
	}
	var err error
	*at, err = ParseFrom(p.rest(), p.now)
	return err
}

// ParseFrom reads a beginning as ParseUntil reads an end, but that a day means its first second.
func ParseFrom(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	t, err := ParseUntil(text, now)
	if err == nil && t.Hour() == 23 && t.Minute() == 59 && t.Second() == 59 {
		t = t.Add(time.Second - 24*time.Hour)
	}
	return t, err
}
