package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeistry/edgeistry/bench/figures"
)

const (
	hz  = 80e6 // of the published ESP8266
	cpi = 1.34 // its cycles an instruction: what the published RSA verification (187 ms) takes over BearSSL's instructions for one
)

// published are the rows of the published table, ESP8266 at 80 MHz, in ms. That of ECDSA verification, 4,340 ms, would be 12.8 cycles an
// instruction where all others are at 1.3 to 1.4: probably a slipped decimal, and nothing is set against it.
var published = map[string]float64{
	"rsa2048_sign": 3280, "rsa2048_verify": 187, "p256_sign": 214, "hmac128": 0.37, "sign": 0.58, "verify2": 0.9,
}

// collect sets everything in one list: counts with the baseline of the same core beside them, milliseconds inferred from them with the
// published ones beside them, Go's times, bytes.
func collect(ours, theirs counted, inGo map[string]goFigure) []figures.Figure {
	var all []figures.Figure
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		all = append(all, ourCount(name, ours[name], theirs))
	}
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		all = append(all, theirCount(name, theirs[name], ours))
	}
	all = append(all, inferred(ours, theirs)...)
	return append(all, goFigures(inGo)...)
}

func unit(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

const (
	howChip  = "make bench-capability: whole device image in libsimavr, over its serial line, from the frame's end"
	howAVR   = "make bench-capability: core of the ATmega328P image in libsimavr, between marks"
	howQEMU  = "make bench-capability: core in QEMU, -Os, counted by a plugin between marks"
	howSize  = "make size: flash of the image; static RAM and the worst stack seen in libsimavr"
	howBytes = "make bench-capability: encoded by capability and coap"
)

// counterpart reports what signature stands beside a count of ours.
var counterpart = map[string]string{"sign": "p256_sign", "hmac128": "p256_sign", "verify2": "p256_verify", "session_request": "p256_verify", "session_exchange": "p256_verify", "open2": "p256_verify"}

func ourCount(name string, value uint64, theirs counted) figures.Figure {
	f := figures.Figure{Name: name, Value: float64(value), Unit: unit(name), How: howQEMU}
	core, what, _ := strings.Cut(strings.TrimSuffix(name, "."+f.Unit), ".")
	switch {
	case f.Unit == "bytes" && core == "avr":
		f.How = howSize
	case f.Unit == "bytes":
		f.How = howBytes
	case core == "avr" && (what == "hello" || what == "open2" || strings.HasPrefix(what, "session")):
		f.How = howChip
	case core == "avr":
		f.How = howAVR
	}
	if peer, known := theirs[core+"."+counterpart[what]+"."+f.Unit]; known {
		how := "BearSSL " + counterpart[what]
		if core == "avr" {
			how += ", ATmega1284P"
		}
		f = f.Against(how, float64(peer))
	}
	return f
}

func theirCount(name string, value uint64, ours counted) figures.Figure {
	f := figures.Figure{Name: name, Value: float64(value), Unit: unit(name), How: "make bench-capability: BearSSL 0.6 (Debian's source), i15 and m15, -Os, counted like ours"}
	core, _, _ := strings.Cut(name, ".")
	own := "verify2"
	if strings.Contains(name, "_sign.") {
		own = "sign"
	}
	return f.Against("capability "+own, float64(ours[core+"."+own+"."+f.Unit]))
}

// inferred are the published table's rows, in ms at 80 MHz from our instructions.
func inferred(ours, theirs counted) []figures.Figure {
	ms := func(instructions uint64) float64 { return float64(instructions) * cpi / hz * 1000 }
	how := fmt.Sprintf("inferred: instructions x CPI %.2f at 80 MHz, no radio", cpi)
	var all []figures.Figure
	row := func(what string, instructions uint64) {
		f := figures.Figure{Name: "lx106." + what + ".ms", Value: ms(instructions), Unit: "ms", How: how}
		if p, known := published[what]; known {
			f = f.Against("published, ESP8266 at 80 MHz", p)
		}
		all = append(all, f)
	}
	for _, what := range []string{"rsa2048_sign", "rsa2048_verify", "p256_sign", "p256_verify"} {
		row(what, theirs["lx106."+what+".instructions"])
	}
	for _, what := range []string{"hmac128", "sign", "verify2", "session_request", "session_exchange", "open2"} {
		row(what, ours["lx106."+what+".instructions"])
	}
	// Opening a session takes the place of the handshake.
	i := slices.IndexFunc(all, func(f figures.Figure) bool { return f.Name == "lx106.open2.ms" })
	all[i] = all[i].Against("published, RSA-2048 TLS handshake", 3950)
	handshake := theirs["lx106.rsa2048_sign.instructions"] + 2*theirs["lx106.rsa2048_verify.instructions"]
	all = append(all, figures.Figure{Name: "lx106.rsa2048_handshake.ms", Value: ms(handshake), Unit: "ms", How: how + ", only one private and two public operations"}.
		Against("published, RSA-2048 TLS handshake", 3950))
	for _, what := range []string{"verify2", "session_request", "session_exchange", "open2"} {
		all = append(all, figures.Figure{Name: "avr." + what + ".ms", Value: float64(ours["avr."+what+".cycles"]) / 16e6 * 1000, Unit: "ms", How: "cycles at 16 MHz"})
	}
	return all
}

func goFigures(m map[string]goFigure) []figures.Figure {
	how := fmt.Sprintf("make bench-capability: go test -bench ^BenchmarkFigure ./capability, fastest of %d runs of %s in %d rounds of all", goRounds*goRuns, goTime, goRounds)
	ns := func(name, bench string) figures.Figure {
		return figures.Figure{Name: "go." + name + ".ns", Value: m[bench].ns, Unit: "ns", How: how}
	}
	over := func(name, bench, raw string, compressions int) figures.Figure {
		return figures.Figure{Name: "go." + name + ".over_raw.ratio", Value: m[bench].ns / m[raw].ns, Unit: "ratio", Peer: fmt.Sprintf("%d compressions, ns", compressions), PeerValue: m[raw].ns, Ratio: m[bench].ns / m[raw].ns, How: how}
	}
	allocs := func(name, bench string) figures.Figure {
		return figures.Figure{Name: "go." + name + ".allocs", Value: m[bench].allocs, Unit: "allocations", How: how}
	}
	return []figures.Figure{
		over("sign", "Sign", "Raw4", 4), over("verify2", "Verify2", "Raw10", 10), over("session_request", "SessionRequest", "Raw2", 2),
		allocs("verify2", "Verify2"), allocs("session_request", "SessionRequest"),
		ns("sign", "Sign").Against("crypto/ecdsa P-256 sign", m["ECDSASign"].ns),
		ns("verify2", "Verify2").Against("crypto/ecdsa P-256 verify", m["ECDSAVerify"].ns),
		ns("session_request", "SessionRequest").Against("crypto/ecdsa P-256 verify", m["ECDSAVerify"].ns),
		ns("rsa2048_sign", "RSASign").Against("capability sign", m["Sign"].ns),
		ns("rsa2048_verify", "RSAVerify").Against("capability verify2", m["Verify2"].ns),
		ns("p256_sign", "ECDSASign").Against("capability sign", m["Sign"].ns),
		ns("p256_verify", "ECDSAVerify").Against("capability verify2", m["Verify2"].ns),
	}
}
