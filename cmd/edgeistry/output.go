package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"
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

// facts prints lines of "name   value" with the names in one column. On a terminal a long value goes on in its column.
func (c *cli) facts(lines ...[2]string) {
	width := 0
	for _, l := range lines {
		width = max(width, utf8.RuneCountInString(l[0]))
	}
	for _, l := range lines {
		name := l[0]
		for _, part := range wrap(l[1], c.columns-width-columnGap) {
			c.printf("%s\n", strings.TrimRight(fmt.Sprintf("%-*s%*s%s", width, name, columnGap, "", part), " "))
			name = ""
		}
	}
}

// columnGap is the space between two columns.
const columnGap = 3

// table prints rows in columns; the first row is the heading. Where the columns do not fit the terminal each row becomes a
// block of lines, one a column.
func (c *cli) table(rows [][]string) {
	if len(rows) == 0 {
		return
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	whole := -columnGap
	for _, w := range widths {
		whole += w + columnGap
	}
	if c.columns > 0 && whole > c.columns {
		c.blocks(rows)
		return
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			fmt.Fprintf(&b, "%-*s", widths[i]+columnGap, cell)
		}
		c.printf("%s\n", strings.TrimRight(b.String(), " "))
	}
}

// blocks prints each row of a table as lines of "heading   value", with an empty line between two rows.
func (c *cli) blocks(rows [][]string) {
	for i, row := range rows[1:] {
		if i > 0 {
			c.printf("\n")
		}
		lines := make([][2]string, 0, len(row))
		for i, cell := range row {
			lines = append(lines, [2]string{rows[0][i], cell})
		}
		c.facts(lines...)
	}
}

// minColumn is the narrowest column that text is broken into.
const minColumn = 20

// wrap breaks a text at spaces into lines of at most width characters. A word that is longer stays whole, so that an ID can
// be copied. With no width, or hardly any, the text stays one line.
func wrap(text string, width int) []string {
	if width < minColumn {
		return []string{text}
	}
	var lines []string
	rest := []rune(text)
	for len(rest) > width {
		at := width
		for at > 0 && rest[at] != ' ' {
			at--
		}
		if at == 0 { // a word that is longer than a line
			if at = slices.Index(rest, ' '); at < 0 {
				break
			}
		}
		lines = append(lines, strings.TrimRight(string(rest[:at]), " "))
		rest = []rune(strings.TrimLeft(string(rest[at:]), " "))
	}
	return append(lines, string(rest))
}

// terminalWidth returns the columns of the screen that a stream is; 0 if it is none.
func terminalWidth(w any) int {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok || !terminal(w) {
		return 0
	}
	columns, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// terminal reports whether a stream is a person's screen.
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
