package phrase

import (
	"reflect"
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
		if got, err := Parse(tt.text, now); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", tt.text, got, err, tt.want)
		}
	}
	for _, text := range []string{
		"", "and", "temperature", "read", "read until friday", "read temperature until", "read temperature until someday", "call valve 0..30 and pump 0..40",
		"append notes 1..2", "read temperature for friday", "read temperature until friday until monday", "read temperature from friday from monday", "until yesterday",
		"call valve 0 times", "call valve 256 times", "call valve 2 times, 3 times", "call valve many times until",
	} {
		if got, err := Parse(text, now); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", text, got)
		}
	}
}
