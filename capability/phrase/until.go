package phrase

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseUntil reads a point in time as people say it. All of it is UTC:
//
//	90s 15m 2h 3d 1w          so long from now
//	today tomorrow            the end of that day, 23:59:59
//	friday fri                the end of the next day of that name; today counts
//	2026-11-27                the end of that day
//	2026-11-27 18:00          that minute; also with a T in the middle
//	2026-11-27T18:00:00Z      RFC 3339
//
// A time that is not after now is an error.
func ParseUntil(text string, now time.Time) (time.Time, error) {
	now = now.UTC().Truncate(time.Second)
	at, ok := parseUntil(strings.ToLower(strings.TrimSpace(text)), now)
	if !ok {
		return time.Time{}, fmt.Errorf("time %.60q is not understood (like 2h, friday, 2026-11-27, 2026-11-27T18:00)", text)
	}
	if !at.After(now) {
		return time.Time{}, fmt.Errorf("time %.60q is over: %s", text, at.Format("Mon 2006-01-02 15:04 MST"))
	}
	return at, nil
}

func parseUntil(text string, now time.Time) (time.Time, bool) {
	if d, ok := parseSpan(text); ok {
		return now.Add(d), true
	}
	switch text {
	case "":
		return time.Time{}, false
	case "today":
		return endOfDay(now), true
	case "tomorrow":
		return endOfDay(now.AddDate(0, 0, 1)), true
	}
	for i := range 7 {
		day := now.AddDate(0, 0, i)
		if name := strings.ToLower(day.Weekday().String()); text == name || text == name[:3] {
			return endOfDay(day), true
		}
	}
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return endOfDay(at), true
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02t15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	if at, err := time.Parse(time.RFC3339, strings.ToUpper(text)); err == nil {
		return at.UTC(), true
	}
	return time.Time{}, false
}

// parseSpan reads a number and one of s, m, h, d, w.
func parseSpan(text string) (time.Duration, bool) {
	if len(text) < 2 {
		return 0, false
	}
	unit := map[byte]time.Duration{
		's': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
	}[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	const longest = 200 * 365 * 24 * time.Hour
	if err != nil || unit == 0 || time.Duration(n) > longest/unit {
		return 0, false
	}
	return time.Duration(n) * unit, true
}

func endOfDay(at time.Time) time.Time {
	return time.Date(at.Year(), at.Month(), at.Day(), 23, 59, 59, 0, time.UTC)
}
