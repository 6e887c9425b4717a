package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// counted maps dotted names to what repeats exactly: cycles, instructions, bytes.
type counted map[string]uint64

// span is a line of NAME.counts: what was counted between two marks, and up to the verdict within.
type span struct{ whole, verdict uint64 }

// readSpans reads a file of firmware/bench: name, least count, runs, and of QEMU's the least count up to a verdict.
func readSpans(path string) (map[string]span, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	spans := map[string]span{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 {
			return nil, fmt.Errorf("%s: %q is no span", path, lines.Text())
		}
		var s span
		if s.whole, err = strconv.ParseUint(fields[1], 10, 64); err == nil && len(fields) > 3 {
			s.verdict, err = strconv.ParseUint(fields[3], 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		spans[fields[0]] = s
	}
	return spans, lines.Err()
}

// addSpans puts every span of a file in, as core.NAME.unit.
func (c counted) addSpans(dir, core, image, unit string) error {
	spans, err := readSpans(filepath.Join(dir, core+"-"+image+".counts"))
	if err != nil {
		return err
	}
	for name, s := range spans {
		c[core+"."+name+"."+unit] = s.whole
		if name == "session_request" { // the answer apart
			c[core+"."+name+"."+unit] = s.verdict
			c[core+".session_exchange."+unit] = s.whole
		}
	}
	return nil
}

// exchange is one line of `edg-sim-check cost --json`.
type exchange struct {
	What    string `json:"what"`
	Cycles  uint64 `json:"cycles"`
	Verdict uint64 `json:"verdict"`
}

// calls names the exchanges of firmware/sim by which capability.Cost is checked.
var calls = map[string]string{
	"call: open, 1 frame":          "call_open1",
	"call: open, 2 frames":         "call_open2",
	"call: open, 4 frames":         "call_open4",
	"call: open, counted":          "call_open_counted",
	"call: open, a discharge":      "call_open_discharge",
	"call: session, 2 frames kept": "call_kept",
	"call: session, 4 frames sent": "call_sent",
	"call: session, counted":       "call_counted",
	"call: session, a discharge":   "call_discharge",
	"call: open, private":          "call_open_private",
	"call: session, private":       "call_private",
}

// readExchanges reads what `edg-sim-check cost --json` says.
func readExchanges(path string) ([]exchange, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []exchange
	for d := json.NewDecoder(f); d.More(); {
		var e exchange
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// addCalls takes the calls that are not there yet: those of the full image are the private ones.
func (c counted) addCalls(path string) error {
	all, err := readExchanges(path)
	for _, e := range all {
		name := "avr." + calls[e.What] + ".cycles"
		if _, known := c[name]; calls[e.What] != "" && !known {
			c[name] = e.Cycles
		}
	}
	return err
}

// addChip takes the whole device's figures: the session opened with two frames that a slot keeps, and the first request in it.
func (c counted) addChip(path string) error {
	all, err := readExchanges(path)
	if err != nil {
		return err
	}
	hello := slices.IndexFunc(all, func(e exchange) bool { return e.What == "hello" })
	open := slices.IndexFunc(all, func(e exchange) bool { return e.What == "open, 2 short frames" })
	if hello < 0 || open < 0 || open+1 >= len(all) || !strings.HasPrefix(all[open+1].What, "session:") {
		return fmt.Errorf("%s: no hello, no OPEN with two short frames, or no request after it", path)
	}
	c["avr.hello.cycles"] = all[hello].Cycles
	c["avr.open2.cycles"] = all[open].Cycles
	c["avr.session_request.cycles"] = all[open+1].Verdict
	c["avr.session_exchange.cycles"] = all[open+1].Cycles
	return nil
}

// addSizes takes what edg-sim-check says of an image in a line: its flash, and its RAM with the worst stack.
func (c counted) addSizes(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(data)) {
		var image string
		var flash, static, stack uint64
		if _, err := fmt.Sscanf(line, "board=atmega328p image=%s flash=%d static=%d stack=%d", &image, &flash, &static, &stack); err != nil {
			return fmt.Errorf("%s: %q is no size: %w", path, line, err)
		}
		c["avr."+image+"_flash.bytes"], c["avr."+image+"_ram.bytes"] = flash, static+stack
	}
	return nil
}

// readOurs returns everything that repeats and that CI compares.
func readOurs(dir string) (counted, error) {
	c := counted{}
	err := errors.Join(
		c.addSpans(dir, "avr", "capability", "cycles"),
		c.addChip(filepath.Join(dir, "avr-cost.json")),
		c.addCalls(filepath.Join(dir, "avr-cost.json")),
		c.addCalls(filepath.Join(dir, "avr-cost-full.json")),
		c.addSpans(dir, "lx106", "capability", "instructions"),
		c.addSpans(dir, "lx106", "session", "instructions"),
		c.addSpans(dir, "m3", "capability", "instructions"),
		c.addSpans(dir, "m3", "session", "instructions"),
		c.addSizes(filepath.Join(dir, "avr-size")),
		c.addBytes(),
	)
	return c, err
}

// readBaselines returns what others' code takes on the same cores. Keys differ from run to run and
// counts a little with them.
func readBaselines(dir string) (counted, error) {
	c := counted{}
	err := errors.Join(
		c.addSpans(dir, "avr", "baseline_p256", "cycles"),
		c.addSpans(dir, "lx106", "baseline_p256", "instructions"),
		c.addSpans(dir, "lx106", "baseline_rsa", "instructions"),
		c.addSpans(dir, "m3", "baseline_p256", "instructions"),
		c.addSpans(dir, "m3", "baseline_rsa", "instructions"),
	)
	return c, err
}

// readTable reads lines of a name and a value; # begins a comment.
func readTable(path string) (counted, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := counted{}
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("%s: %q is no name and value", path, line)
		}
		if c[fields[0]], err = strconv.ParseUint(fields[1], 10, 64); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return c, nil
}

const tableHead = `# What the construction costs, exactly: cycles of the ATmega328P, instructions of the ESP8266's core (lx106) and of a Cortex-M3 (m3), bytes.
# Less is better. make counts fails where one is worse than here, and where one is better and this table was not brought up to date, which
# make counts UPDATE=1 does. docs/guide/capability-figures.md says what each is.
`

func (c counted) write(path string) error {
	var b strings.Builder
	b.WriteString(tableHead)
	for _, name := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&b, "%-36s %d\n", name, c[name])
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// compare returns a line for each count that is not as the table says: worse, better, new, or not
// measured any more.
func compare(table, now counted) (lines []string) {
	names := maps.Clone(table)
	maps.Copy(names, now)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		want, known := table[name]
		got, measured := now[name]
		line := fmt.Sprintf("%-36s %d", name, got)
		switch {
		case !measured:
			lines = append(lines, name+" stands in the table and was not measured")
		case !known:
			lines = append(lines, "new:    "+line)
		case got > want:
			lines = append(lines, fmt.Sprintf("worse:  %s, was %d (%+.2f %%)", line, want, change(got, want)))
		case got < want:
			lines = append(lines, fmt.Sprintf("better: %s, was %d (%+.2f %%)", line, want, change(got, want)))
		}
	}
	return lines
}

func change(got, want uint64) float64 { return 100 * (float64(got) - float64(want)) / float64(want) }
