package phrase

import (
	"fmt"
	"strings"
	"time"
)

// ParseUntil reads a point in time as people say it. All of it is UTC:
//
//	90s 15m 2h 1h30m 3d 1w    so long from now, in whole seconds
//	today tomorrow            the end of that day, 23:59:59
//	friday fri                the end of the next day of that name; today counts
//	2026-11-27                the end of that day
//	2026-11-27 18:00          that minute; also with a T in the middle
//	2026-11-27T18:00:00Z      RFC 3339
//
// A time that is not after now is an error.
func ParseUntil(text string, now time.Time) (time.Time, error) {
	m, err := parseMoment(text, now)
	if err != nil {
		return time.Time{}, err
	}
	at := m.end()
	if !at.After(now.Truncate(time.Second)) {
		return time.Time{}, fmt.Errorf("time %.60q is over: %s", text, at.Format("Mon 2006-01-02 15:04 MST"))
	}
	return at, nil
}

// ParseFrom reads a beginning as ParseUntil reads an end, but that a day means its first second, and that a beginning may be
// in the past.
func ParseFrom(text string, now time.Time) (time.Time, error) {
	m, err := parseMoment(text, now)
	return m.at, err
}

// ParseAt reads a point in time for looking at, past or future: as ParseUntil does, and "yesterday" and "2h ago".
func ParseAt(text string, now time.Time) (time.Time, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	if lower == "yesterday" {
		return moment{at: beginningOfDay(now.UTC().AddDate(0, 0, -1)), day: true}.end(), nil
	}
	if ago, ok := strings.CutSuffix(lower, " ago"); ok {
		d, err := wholeSeconds(strings.TrimSpace(ago))
		return now.UTC().Truncate(time.Second).Add(-d), err
	}
	m, err := parseMoment(text, now)
	return m.end(), err
}

// moment is a point in time, or a day, of which at is the first second.
type moment struct {
	at  time.Time
	day bool
}

func (m moment) end() time.Time {
	if m.day {
		return m.at.Add(24*time.Hour - time.Second)
	}
	return m.at
}

func parseMoment(text string, now time.Time) (moment, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	now = now.UTC().Truncate(time.Second)
	if m, ok := parseDay(lower, now); ok {
		return m, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02t15:04"} {
		if at, err := time.Parse(layout, lower); err == nil {
			return moment{at: at.UTC()}, nil
		}
	}
	if at, err := time.Parse(time.RFC3339, strings.ToUpper(lower)); err == nil {
		if at.Nanosecond() != 0 {
			return moment{}, fmt.Errorf("time %.60q is too fine: this counts in whole seconds", text)
		}
		return moment{at: at.UTC()}, nil
	}
	if _, err := ParseSpan(lower); err == nil && lower != "0" {
		d, err := wholeSeconds(lower)
		return moment{at: now.Add(d)}, err
	}
	return moment{}, fmt.Errorf("time %.60q is not understood (like 2h, friday, 2026-11-27, 2026-11-27T18:00)", text)
}

func parseDay(text string, now time.Time) (moment, bool) {
	day := func(at time.Time) (moment, bool) { return moment{beginningOfDay(at), true}, true }
	switch text {
	case "today":
		return day(now)
	case "tomorrow":
		return day(now.AddDate(0, 0, 1))
	}
	for i := range 7 {
		at := now.AddDate(0, 0, i)
		if name := strings.ToLower(at.Weekday().String()); text == name || text == name[:3] {
			return day(at)
		}
	}
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return day(at)
	}
	return moment{}, false
}

func beginningOfDay(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
}
