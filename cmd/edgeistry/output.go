package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-isatty"
)

// writeJSON prints one document: indented for a person's eyes when the whole answer is one document.
func (c *cli) writeJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		fmt.Fprintln(c.stderr, "print result:", err)
	}
}

// writeLine prints one item of a stream as one line of JSON.
func (c *cli) writeLine(v any) error {
	enc := json.NewEncoder(c.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// show prints a result: as JSON, or as text made by the given func.
func (c *cli) show(v any, text func()) error {
	if c.json {
		c.writeJSON(c.stdout, v)
		return nil
	}
	text()
	return nil
}

func (c *cli) printf(format string, args ...any) {
	fmt.Fprint(c.stdout, clean(fmt.Sprintf(format, args...)))
}

// note prints what is not the result, so that it never ends in a pipe.
func (c *cli) note(format string, args ...any) {
	if !c.json {
		fmt.Fprintln(c.stderr, clean(fmt.Sprintf(format, args...)))
	}
}

// clean takes control characters out of what is printed for people: manifests and error texts come from other machines, and
// a terminal obeys escape sequences whoever sent them.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, text)
}

// facts prints lines of "name   value" with the names in one column.
func (c *cli) facts(lines ...[2]string) {
	width := 0
	for _, l := range lines {
		width = max(width, len(l[0]))
	}
	for _, l := range lines {
		c.printf("%s\n", strings.TrimRight(fmt.Sprintf("%-*s   %s", width, l[0], l[1]), " "))
	}
}

// table prints rows in columns; the first row is the heading.
func (c *cli) table(rows [][]string) {
	if len(rows) == 0 {
		return
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&b, "%-*s", widths[i]+3, cell)
		}
		c.printf("%s\n", strings.TrimRight(b.String(), " "))
	}
}

// terminal says whether a stream is a person's screen.
func terminal(w any) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && isatty.IsTerminal(f.Fd())
}

// milliseconds prints a duration as people compare them: "41 ms", "7.2 ms", "0.3 ms".
func milliseconds(d time.Duration) string {
	return number(float64(d)/float64(time.Millisecond)) + " ms"
}

// number prints a value with one decimal below ten and none from there.
func number(f float64) string {
	if f < 0.05 {
		return "0"
	}
	if f < 9.95 && f != float64(int64(f)) {
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.0f", f)
}

// span prints a duration in the unit that fits: "40 s", "3 min", "23 h", "6 d".
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// one picks the singular or the plural: one(1, "entry", "entries").
func one(n int, singular, plural string) string {
	if n == 1 {
		return "1 " + singular
	}
	return fmt.Sprintf("%d %s", n, plural)
}

// stamp prints a moment as the rest of the command line does: in UTC, as the device's clock.
func stamp(t time.Time) string { return t.UTC().Format("Mon 2006-01-02 15:04 UTC") }
