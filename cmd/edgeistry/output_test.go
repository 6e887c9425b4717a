package main

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/edgeistry/edgeistry/node/api"
)

func TestTextOfOtherMachinesCannotCommandTheTerminal(t *testing.T) {
	evil := "\x1b]0;owned\x07\x1b[2J\u009b31m"
	_, stdout, _ := runAgainst(t, answers{"/v1/services/greenhouse/resolve": api.Resolution{Service: evil, Homes: []api.Home{{Peer: evil}}}}, "", "service", "resolve", "greenhouse")
	if !strings.Contains(stdout, "owned") || strings.ContainsFunc(stdout, commanding) {
		t.Errorf("printed %q", stdout)
	}
	_, _, stderr := runAgainst(t, answers{"/v1/status": api.Errorf(api.Failed, "%s", evil)}, "", "status")
	if !strings.Contains(stderr, "owned") || strings.ContainsFunc(stderr, commanding) {
		t.Errorf("complained %q", stderr)
	}
}

func commanding(r rune) bool { return r != '\n' && r != '\t' && unicode.IsControl(r) }

func FuzzReadable(f *testing.F) {
	for _, seed := range [][]byte{nil, {0}, {0, 215}, []byte("door closed"), []byte("\x1b[2J"), {0xff, 0xfe, 0xfd, 0xfc}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		got := readable(payload)
		if strings.ContainsFunc(got, commanding) || strings.Contains(got, "\n") || !utf8.ValidString(got) || got == "" {
			t.Errorf("readable(%x) = %q", payload, got)
		}
		if len(got) > 4*len(payload)+64 {
			t.Errorf("readable of %d bytes has %d", len(payload), len(got))
		}
	})
}

// FuzzParseField feeds what a manifest from another machine may say of an argument.
func FuzzParseField(f *testing.F) {
	for _, seed := range []string{"u8:0..100", "i16le:-400..850", "u32", "u8:", "u8:9223372036854775808..1", "i8:-129..0", "le"} {
		f.Add(seed, "20")
	}
	f.Fuzz(func(t *testing.T, spec, number string) {
		parsed, err := parseField(spec)
		if err != nil {
			return
		}
		if parsed.min > parsed.max || parsed.bytes != 1 && parsed.bytes != 2 && parsed.bytes != 4 {
			t.Fatalf("parseField(%q) = %+v", spec, parsed)
		}
		raw, err := parsed.encode(number)
		if err != nil {
			return
		}
		n, ok := parsed.decode(raw)
		if !ok {
			t.Fatalf("%q: encode(%q) = %x, which does not decode", spec, number, raw)
		}
		again, err := parsed.encode(itoa(n))
		if err != nil || string(again) != string(raw) {
			t.Fatalf("%q: encode(%q) = %x = %d = %x, %v", spec, number, raw, n, again, err)
		}
	})
}

func TestSpanAndNumberArePrintedInTheUnitThatFits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		40 * time.Second: "40 s", 3 * time.Minute: "3 min", 23*time.Hour + 59*time.Minute: "23 h", 6 * 24 * time.Hour: "6 d",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		41 * time.Millisecond: "41 ms", 7200 * time.Microsecond: "7.2 ms", 0: "0 ms", 20 * time.Microsecond: "0 ms", 312 * time.Microsecond: "0.3 ms", 9970 * time.Microsecond: "10 ms",
	} {
		if got := milliseconds(d); got != want {
			t.Errorf("milliseconds(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestAnEmptyLogIsSaidToBeEmpty(t *testing.T) {
	for want, r := range map[string]*api.ReadResult{
		"greenhouse/events is empty: nothing was appended to it yet\nfrom the device\n":                       {By: "device"},
		"no such entries in greenhouse/events: it holds 7..41 of incarnation 3\nhead 3.41, from the device\n": {By: "device", Head: api.Head{Incarnation: 3, Oldest: 7, Sequence: 41}},
	} {
		c, out, errs := testCLI(nil)
		c.showEntries(target{"greenhouse", "events"}, r)
		if errs.String() != want || out.Len() > 0 {
			t.Errorf("a read of %+v prints %q and %q, want %q", r, out, errs, want)
		}
	}
}
