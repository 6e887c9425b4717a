package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/bench/figures"
)

func TestCompare(t *testing.T) {
	table := counted{"a": 10, "b": 10, "c": 10, "d": 10}
	got := compare(table, counted{"a": 10, "b": 11, "c": 9, "e": 1})
	want := []string{"worse:  b", "better: c", "d stands", "new:    e"}
	if len(got) != len(want) {
		t.Fatalf("compare = %q, want %d lines", got, len(want))
	}
	for i, w := range want {
		if !strings.HasPrefix(got[i], w) {
			t.Errorf("line %d = %q, want it to begin with %q", i, got[i], w)
		}
	}
}

func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts.txt")
	c := counted{"avr.sign.cycles": 7, "m3.open2.instructions": 9}
	if err := c.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readTable(path)
	if err != nil || len(got) != 2 || got["avr.sign.cycles"] != 7 || got["m3.open2.instructions"] != 9 {
		t.Fatalf("readTable = %v, %v, want %v", got, err, c)
	}
	if err := os.WriteFile(path, []byte("name value more\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err = readTable(path); err == nil {
		t.Errorf("readTable of three fields = %v, want an error", got)
	}
}

// What is committed has every name that others rely on.
func TestCommittedTable(t *testing.T) {
	c, err := readTable("counts.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"avr.sha256.cycles", "avr.verify2.cycles", "avr.session_request.cycles", "avr.open2.cycles", "lx106.sign.instructions", "lx106.verify2.instructions",
		"lx106.session_request.instructions", "m3.verify2.instructions", "capability.3frames.bytes", "request.session.overhead.bytes",
		"avr.base_flash.bytes", "avr.base_ram.bytes", "avr.full_flash.bytes", "avr.full_ram.bytes",
	} {
		if c[name] == 0 {
			t.Errorf("counts.txt has no %s", name)
		}
	}
}

func TestBytes(t *testing.T) {
	c := counted{}
	if err := c.addBytes(); err != nil {
		t.Fatal(err)
	}
	for name, most := range map[string]uint64{"capability.3frames.bytes": 40, "request.session.overhead.bytes": 25} {
		if c[name] == 0 || c[name] > most {
			t.Errorf("%s = %d, want 1..%d (docs/spec)", name, c[name], most)
		}
	}
}

func TestSpans(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "lx106-session.counts"), []byte("open2 900 1 700\nsession_request 90 3 50\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := counted{}
	if err := c.addSpans(dir, "lx106", "session", "instructions"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint64{"lx106.open2.instructions": 900, "lx106.session_request.instructions": 50, "lx106.session_exchange.instructions": 90} {
		if c[name] != want {
			t.Errorf("%s = %d, want %d", name, c[name], want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "m3-session.counts"), []byte("open2 900\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := c.addSpans(dir, "m3", "session", "instructions"); err == nil {
		t.Error("a line of two fields is taken for a span")
	}
}

func TestParseGo(t *testing.T) {
	var out strings.Builder
	for _, name := range []string{"Raw2", "Raw4", "Raw10", "Sign", "RSASign", "RSAVerify", "ECDSASign", "ECDSAVerify", "Verify2"} {
		out.WriteString("BenchmarkFigure" + name + "-2   \t 1000\t 500 ns/op\n")
	}
	if _, err := parseGo(out.String()); err == nil {
		t.Error("a benchmark that is missing goes unnoticed")
	}
	out.WriteString("BenchmarkFigureSessionRequest-2   \t 1000\t 700.5 ns/op\t 12 B/op\t 3 allocs/op\n")
	out.WriteString("BenchmarkFigureSessionRequest-2   \t 1000\t 600.5 ns/op\t 12 B/op\t 3 allocs/op\n")
	got, err := parseGo(out.String())
	if err != nil || got["SessionRequest"] != (goFigure{ns: 600.5, allocs: 3}) {
		t.Errorf("parseGo = %v, %v, want 600.5 ns and 3 allocations", got["SessionRequest"], err)
	}
}

// Every figure has a unit, says how it came about, and stands there once.
func TestCollect(t *testing.T) {
	ours, theirs := counted{"avr.verify2.cycles": 100, "capability.3frames.bytes": 37}, counted{"avr.p256_verify.cycles": 1000}
	all := collect(ours, theirs, map[string]goFigure{})
	var names []string
	for _, f := range all {
		if f.Unit == "" || f.How == "" {
			t.Errorf("%+v: no unit, or nothing about how", f)
		}
		names = append(names, f.Name)
	}
	slices.Sort(names)
	if compact := slices.Compact(slices.Clone(names)); len(compact) != len(names) {
		t.Errorf("a name stands twice in %v", names)
	}
	for _, f := range all {
		if f.Name == "avr.verify2.cycles" && f.Ratio != 0.1 {
			t.Errorf("ratio of %s = %v, want 0.1", f.Name, f.Ratio)
		}
	}
}

func TestPage(t *testing.T) {
	text := tables([]figures.Figure{{Name: "lx106.verify2.instructions", Value: 52666}, {Name: "lx106.verify2.ms", Value: 0.882}, {Name: "go.verify2.over_raw.ratio", Value: 1.5}})
	for _, want := range []string{"| capability verify | 52,666 | 0.88 | 0.9 |", "| 1.50 |", "| SHA-256, one compression |  |  |  |  |"} {
		if !strings.Contains(text, want) {
			t.Errorf("tables = %s, want %q in it", text, want)
		}
	}
}
