package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"golang.org/x/term"
)

// printer shows the demo: titles, the commands as typed, what they printed, and what the chip says.
type printer struct {
	w     io.Writer
	dir   string // the demo's folder, which no line repeats
	color bool
	step  int
}

func newPrinter(w io.Writer, dir string) *printer {
	f, ok := w.(*os.File)
	return &printer{w: w, dir: dir, color: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""}
}

func (p *printer) style(code, text string) string {
	if !p.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *printer) title(format string, args ...any) {
	p.step++
	fmt.Fprintf(p.w, "\n%s\n", p.style("1;36", fmt.Sprintf("%2d  %s", p.step, fmt.Sprintf(format, args...))))
}

func (p *printer) text(format string, args ...any) {
	fmt.Fprintf(p.w, "    %s\n", p.short(fmt.Sprintf(format, args...)))
}

// paste shows a line as it is.
func (p *printer) paste(line string) { fmt.Fprintf(p.w, "    %s\n", line) }

func (p *printer) command(site, line string) {
	fmt.Fprintf(p.w, "    %s %s\n", p.style("35", fmt.Sprintf("%-6s $", site)), p.style("1", p.short(line)))
}

// output shows the lines that match keep; nil: all but empty ones.
func (p *printer) output(text []byte, keep *regexp.Regexp) {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, " \n")
		if line != "" && (keep == nil || keep.MatchString(line)) {
			fmt.Fprintf(p.w, "           %s\n", p.short(line))
		}
	}
}

func (p *printer) chip(line string) {
	fmt.Fprintf(p.w, "    %s %s\n", p.style("33", "chip   |"), line)
}

// What is too long to read: IDs of services and nodes, secrets as text.
var (
	longID   = regexp.MustCompile(`\b(k51|12D3KooW)[0-9A-Za-z]{30,}([0-9A-Za-z]{4})\b`)
	longText = regexp.MustCompile(`\b(ecap1_|EDGDEV1-)([\w-]{4})[\w-]{16,}`)
)

// short cuts long IDs in the middle and secrets at their end.
func (p *printer) short(line string) string {
	line = strings.ReplaceAll(line, p.dir+string(os.PathSeparator), "")
	line = longID.ReplaceAllString(line, "$1…$2")
	return longText.ReplaceAllString(line, "$1$2…")
}
