package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// printer shows the demo: titles, the commands as typed, what they printed, and what the chip says.
type printer struct {
	w     io.Writer
	color bool
	step  int
}

func newPrinter(w io.Writer) *printer {
	f, ok := w.(*os.File)
	return &printer{w: w, color: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""}
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

func (p *printer) text(format string, args ...any) { fmt.Fprintf(p.w, "    "+format+"\n", args...) }

func (p *printer) command(site, line string) {
	if len(line) > 150 {
		line = line[:147] + "..."
	}
	fmt.Fprintf(p.w, "    %s %s\n", p.style("35", fmt.Sprintf("%-6s $", site)), p.style("1", line))
}

func (p *printer) output(text []byte) {
	for line := range strings.Lines(string(text)) {
		fmt.Fprintf(p.w, "           %s\n", strings.TrimRight(line, "\n"))
	}
}

func (p *printer) chip(lines []string) {
	for _, line := range lines {
		fmt.Fprintf(p.w, "    %s %s\n", p.style("33", "chip   |"), line)
	}
}
