package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestTimelineStaysInItsColumns(t *testing.T) {
	ms := time.Millisecond
	got := timeline(58*ms, []leg{
		{"mesh", 0, 58 * ms},
		{"queue", 20 * ms, 0},
		{"link", 21 * ms, 9 * ms},
		{"device", 30 * ms, 8 * ms},
		{"late", 70 * ms, 90 * ms}, // clocks of two machines may disagree: it must not draw outside
	})
	lines := strings.Split(strings.TrimRight(got, "\n"), "\n")
	if len(lines) != 5 {
		t.Fatalf("timeline has %d lines, want 5:\n%s", len(lines), got)
	}
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n != utf8.RuneCountInString(lines[0]) {
			t.Errorf("line of %d characters, want %d:\n%s", n, utf8.RuneCountInString(lines[0]), got)
		}
	}
	if n := strings.Count(lines[0], "█"); n != timelineWidth {
		t.Errorf("the whole is %d characters wide, want %d", n, timelineWidth)
	}
	if !strings.Contains(lines[1], "▏") || !strings.HasSuffix(lines[3], "8 ms") {
		t.Errorf("timeline =\n%s", got)
	}
	if timeline(0, nil) != "" {
		t.Error("a call of no length has a timeline")
	}
}
