package phrase

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxSpan is the longest span of time, 200 years.
const MaxSpan = 200 * 365 * 24 * time.Hour

// maxSpanText bounds the text of a span in bytes.
const maxSpanText = 64

// spanUnits are the units of a span, from the largest to the smallest.
var spanUnits = []struct {
	name string
	unit time.Duration
}{
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
}

// ParseSpan reads a span of time: "90s", "1h30m", "1.5s", "2w", or "0". Each part is a number with a unit, w, d, h, m, s or
// ms; units fall from part to part (docs/spec/phrase.md). The span is exact: one that is finer than a nanosecond or longer
// than MaxSpan is an error.
func ParseSpan(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	rest, next := strings.ToLower(strings.TrimSpace(text)), 0
	bad := fmt.Errorf("%.60q is no span of time (like 90s, 15m, 1h30m, 2h, 3d, 1w)", text)
	if rest == "" || len(rest) > maxSpanText {
		return 0, bad
	}
	var sum time.Duration
	for rest != "" {
		digits := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if digits <= 0 {
			return 0, bad
		}
		number, after := rest[:digits], rest[digits:]
		letters := strings.IndexFunc(after, func(r rune) bool { return r < 'a' || r > 'z' })
		if letters < 0 {
			letters = len(after)
		}
		unit := time.Duration(0)
		for ; next < len(spanUnits) && unit == 0; next++ {
			if spanUnits[next].name == after[:letters] {
				unit = spanUnits[next].unit
			}
		}
		part, ok := times(number, unit)
		if !ok || unit == 0 {
			return 0, bad
		}
		if part > MaxSpan-sum {
			return 0, fmt.Errorf("%.60q is longer than 200 years", text)
		}
		sum, rest = sum+part, after[letters:]
	}
	return sum, nil
}

// times returns a decimal number of units; ok is false if it is no number or not a whole number of nanoseconds. What is too
// long for the type is more than MaxSpan.
func times(number string, unit time.Duration) (d time.Duration, ok bool) {
	whole, fraction, point := strings.Cut(number, ".")
	n, err := strconv.ParseUint(whole, 10, 32)
	if err != nil || point && (fraction == "" || len(fraction) > 9) {
		return 0, false
	}
	if unit > 0 && time.Duration(n) > MaxSpan/unit {
		return MaxSpan + 1, true
	}
	d = time.Duration(n) * unit
	if !point {
		return d, true
	}
	f, err := strconv.ParseUint(fraction, 10, 32)
	scale := time.Duration(1)
	for range fraction {
		scale *= 10
	}
	// A unit of a week times 9 digits does not fit: the whole part of the unit per scale comes first.
	part := unit / scale * time.Duration(f)
	left := unit % scale * time.Duration(f)
	if err != nil || left%scale != 0 {
		return 0, false
	}
	return d + part + left/scale, true
}

// FormatSpan prints a span as ParseSpan reads it: "1h30m", "0". What is finer than a millisecond is a fraction of one.
func FormatSpan(d time.Duration) string {
	if d <= 0 {
		return "0"
	}
	var b strings.Builder
	for _, u := range spanUnits {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.name)
			d -= n * u.unit
		}
	}
	if d == 0 {
		return b.String()
	}
	text := strings.TrimSuffix(b.String(), "ms")
	if text == b.String() { // it has no milliseconds to put the fraction behind
		text += "0"
	}
	return text + strings.TrimRight(fmt.Sprintf(".%06d", d), "0") + "ms"
}

// wholeSeconds reads a span that has no part finer than a second, for what counts in seconds.
func wholeSeconds(text string) (time.Duration, error) {
	d, err := ParseSpan(text)
	if err == nil && d%time.Second != 0 {
		err = fmt.Errorf("%.60q is too fine: this counts in whole seconds", text)
	}
	return d, err
}
