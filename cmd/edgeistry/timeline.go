package main

import (
	"fmt"
	"strings"
	"time"
)

// leg is one measured stretch of a call: when it began after the call did, and how long it took.
type leg struct {
	name      string
	at, spent time.Duration
}

// timelineWidth is the width of the widest bar, in characters.
const timelineWidth = 48

// timeline draws each leg where it happened in the whole. Every figure is measured; a leg shorter than a character
// still shows as a thin mark.
func timeline(total time.Duration, legs []leg) string {
	if total <= 0 {
		return ""
	}
	width := 0
	for _, l := range legs {
		width = max(width, len(l.name))
	}
	var b strings.Builder
	scale := func(d time.Duration) int {
		d = min(max(d, 0), total)
		return int((int64(d)*timelineWidth*8 + int64(total)/2) / int64(total)) // in eighths of a character
	}
	for _, l := range legs {
		from, to := scale(l.at), scale(l.at+l.spent)
		lead := min(from/8, timelineWidth-1)
		full := to/8 - lead
		bar := strings.Repeat(" ", lead)
		if full < 1 {
			bar += "▏"
		} else {
			bar += strings.Repeat("█", full)
		}
		pad := max(timelineWidth-len([]rune(bar)), 0)
		fmt.Fprintf(&b, "  %-*s  %s%s  %8s\n", width, l.name, bar, strings.Repeat(" ", pad), milliseconds(l.spent))
	}
	return b.String()
}
