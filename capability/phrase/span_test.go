package phrase

import (
	"testing"
	"time"
)

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0":        0,
		"0s":       0,
		"90s":      90 * time.Second,
		"1m30s":    90 * time.Second,
		"1.5m":     90 * time.Second,
		"300ms":    300 * time.Millisecond,
		"0.1s":     100 * time.Millisecond,
		"19.9s":    19900 * time.Millisecond,
		"1w2d3h4m": (9*24+3)*time.Hour + 4*time.Minute,
		"2H":       2 * time.Hour,
		"0.5w":     84 * time.Hour,
		"24h0m0s":  24 * time.Hour,
		"73000d":   MaxSpan,
	} {
		if got, err := ParseSpan(text); err != nil || got != want {
			t.Errorf("ParseSpan(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "s", "5", "1.5", "-1h", "+1h", "1y", "1 h", "1h 30m", "30m1h", "1h1h", "1.h", ".5h", "1e3s", "1ms1s", "73001d", "72999d48h", "99999999999w", "0.0000000001s", "0.3333333ms", "1µs", "1h,", "１h",
	} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("ParseSpan(%q) = %v", text, got)
		}
	}
}

func FuzzParseSpan(f *testing.F) {
	for _, seed := range []string{"90s", "1h30m", "0.5w", "19.9s", "0", "1s0.5ms"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseSpan(text)
		if err != nil {
			return
		}
		if d < 0 || d > MaxSpan {
			t.Fatalf("ParseSpan(%q) = %v", text, d)
		}
		if again, err := ParseSpan(FormatSpan(d)); err != nil || again != d {
			t.Errorf("ParseSpan(%q) = %v, said again %q = %v, %v", text, d, FormatSpan(d), again, err)
		}
	})
}

func TestADayEndsAndBegins(t *testing.T) {
	friday := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		read  func(string, time.Time) (time.Time, error)
		text  string
		wants string
	}{
		{ParseUntil, "friday", "2026-11-27T23:59:59Z"}, // typed on a Friday: its end
		{ParseFrom, "friday", "2026-11-27T00:00:00Z"},
		{ParseAt, "friday", "2026-11-27T23:59:59Z"},
		{ParseFrom, "2026-11-30T23:59:59Z", "2026-11-30T23:59:59Z"}, // that second, not that day
		{ParseFrom, "2026-11-20 18:00", "2026-11-20T18:00:00Z"},
		{ParseAt, "2026-11-20", "2026-11-20T23:59:59Z"},
		{ParseAt, "2026-11-20 18:00", "2026-11-20T18:00:00Z"},
		{ParseAt, "yesterday", "2026-11-26T23:59:59Z"},
		{ParseAt, "2h ago", "2026-11-27T07:00:00Z"},
		{ParseAt, "2h", "2026-11-27T11:00:00Z"},
	} {
		if got, err := c.read(c.text, friday); err != nil || got.Format(time.RFC3339) != c.wants {
			t.Errorf("%q on a Friday is %v, %v, want %s", c.text, got, err, c.wants)
		}
	}
	for _, text := range []string{"", "ago", "2x ago", "long ago", "0.5s ago", "2026-11-20T18:00:00.5Z"} {
		if got, err := ParseAt(text, friday); err == nil {
			t.Errorf("ParseAt(%q) = %v", text, got)
		}
	}
}

func TestAHoldIsNeverRounded(t *testing.T) {
	for _, hold := range []time.Duration{100 * time.Millisecond, 19900 * time.Millisecond, time.Minute, 2 * time.Minute, 56 * time.Minute} {
		if err := CheckHold(hold); err != nil {
			t.Errorf("CheckHold(%v) = %v", hold, err)
		}
	}
	for _, hold := range []time.Duration{0, -time.Second, time.Millisecond, 150 * time.Millisecond, 20 * time.Second, 59 * time.Second, 90 * time.Second, 57 * time.Minute, 1000 * time.Hour} {
		if err := CheckHold(hold); err == nil {
			t.Errorf("CheckHold(%v) passes", hold)
		}
		if hold != 0 {
			if s, err := (Wish{Hold: hold}).Spec(); err == nil {
				t.Errorf("a hold of %v is made %+v", hold, s)
			}
		}
	}
}
