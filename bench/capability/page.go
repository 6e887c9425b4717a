package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/edgeistry/edgeistry/bench/figures"
)

const pageBegin, pageEnd = "<!-- tables: make figures -->\n", "<!-- end of tables -->\n"

// writePage puts the tables of the last run between the page's two marks.
func writePage(path string) error {
	data, err := os.ReadFile(filepath.Join("bench", "out", "capability.json"))
	if err != nil {
		return err
	}
	var list []figures.Figure
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, found := strings.Cut(string(page), pageBegin)
	_, tail, ends := strings.Cut(rest, pageEnd)
	if !found || !ends {
		return fmt.Errorf("%s: the marks %q and %q are not there", path, pageBegin, pageEnd)
	}
	return os.WriteFile(path, []byte(head+pageBegin+tables(list)+pageEnd+tail), 0o644)
}

// values returns figures by name; of one that is not there, NaN.
type values map[string]float64

func (v values) of(name string) float64 {
	if x, known := v[name]; known {
		return x
	}
	return math.NaN()
}

func tables(list []figures.Figure) string {
	v := values{}
	for _, f := range list {
		v[f.Name] = f.Value
	}
	var b strings.Builder
	publishedTable(&b, v)
	coresTable(&b, v)
	goTable(&b, v)
	return b.String()
}

func publishedTable(b *strings.Builder, v values) {
	b.WriteString("\n### The published rows, ESP8266 at 80 MHz\n\n| row | here, instructions (counted) | here, ms (inferred) | published, ms |\n|---|---|---|---|\n")
	for _, r := range []struct{ label, what, published string }{
		{"RSA-2048 sign", "rsa2048_sign", "3,280"},
		{"RSA-2048 verify", "rsa2048_verify", "187"},
		{"ECDSA-256 sign", "p256_sign", "214"},
		{"ECDSA-256 verify", "p256_verify", "(4,340: see below)"},
		{"HMAC-SHA256, 128-bit key", "hmac128", "0.37"},
		{"capability sign", "sign", "0.58"},
		{"capability verify", "verify2", "0.9"},
		{"session opened, in place of a handshake", "open2", "3,950 (RSA-2048 TLS handshake)"},
	} {
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", r.label, grouped(v.of("lx106."+r.what+".instructions")), ms(v.of("lx106."+r.what+".ms")), r.published)
	}
	fmt.Fprintf(b, "| RSA-2048 TLS handshake: one private and two public operations, nothing else | | %s | 3,950 |\n", ms(v.of("lx106.rsa2048_handshake.ms")))
	b.WriteString("| end to end, reading to stored effect | `make bench-e2e`, another machine and link | | 5,578 (RSA-2048 TLS), 608 (capabilities) |\n")
}

func coresTable(b *strings.Builder, v values) {
	b.WriteString("\n### Three cores\n\n| | ATmega328P, cycles | at 16 MHz | lx106, instructions | Cortex-M3, instructions |\n|---|---|---|---|---|\n")
	for _, r := range []struct{ label, what string }{
		{"SHA-256, one compression", "sha256"},
		{"sign: an HMAC", "sign"},
		{"verify: 2 frames and a request", "verify2"},
		{"hello", "hello"},
		{"session: open, with answer", "open2"},
		{"session: request, answer apart", "session_request"},
		{"session: request, with answer", "session_exchange"},
		{"ECDSA P-256 sign, BearSSL", "p256_sign"},
		{"ECDSA P-256 verify, BearSSL", "p256_verify"},
		{"RSA-2048 sign, BearSSL", "rsa2048_sign"},
		{"RSA-2048 verify, BearSSL", "rsa2048_verify"},
	} {
		cycles := v.of("avr." + r.what + ".cycles")
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", r.label, grouped(cycles), withUnit(cycles/16e3), grouped(v.of("lx106."+r.what+".instructions")), grouped(v.of("m3."+r.what+".instructions")))
	}
	fmt.Fprintf(b, "\nOn the wire: a carried capability of three frames %s bytes, what protection adds to a request in a session %s bytes.\n",
		grouped(v.of("capability.3frames.bytes")), grouped(v.of("request.session.overhead.bytes")))
	fmt.Fprintf(b, "\nThe greenhouse on an ATmega328P: %s bytes of flash and %s of RAM, worst stack included; with programs and private requests %s and %s.\n",
		grouped(v.of("avr.base_flash.bytes")), grouped(v.of("avr.base_ram.bytes")), grouped(v.of("avr.full_flash.bytes")), grouped(v.of("avr.full_ram.bytes")))
}

func goTable(b *strings.Builder, v values) {
	b.WriteString("\n### Go\n\n| | ns | over the raw compressions | allocations |\n|---|---|---|---|\n")
	for _, r := range []struct{ label, what string }{
		{"capability sign", "sign"},
		{"capability verify, 2 frames and a request", "verify2"},
		{"request in a session at the guard, answer apart", "session_request"},
		{"crypto/ecdsa P-256 sign", "p256_sign"},
		{"crypto/ecdsa P-256 verify", "p256_verify"},
		{"crypto/rsa 2048 sign", "rsa2048_sign"},
		{"crypto/rsa 2048 verify", "rsa2048_verify"},
	} {
		over := ""
		if x := v.of("go." + r.what + ".over_raw.ratio"); !math.IsNaN(x) {
			over = fmt.Sprintf("%.2f", x)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", r.label, grouped(v.of("go."+r.what+".ns")), over, grouped(v.of("go."+r.what+".allocs")))
	}
	b.WriteString("\n")
}

// grouped is 1234567 as "1,234,567"; nothing for what was not measured.
func grouped(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	s := strconv.FormatFloat(math.Round(x), 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ms returns three digits.
func ms(x float64) string {
	switch {
	case math.IsNaN(x):
		return ""
	case x < 1:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return grouped(x)
}

func withUnit(x float64) string {
	if s := ms(x); s != "" {
		return s + " ms"
	}
	return ""
}
