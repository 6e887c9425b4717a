package coap

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
)

func TestHead(t *testing.T) {
	head := edgeistry.Head{Place: edgeistry.Place{Incarnation: 1, Sequence: 2}, Oldest: 3, Hash: edgeistry.Hash{4, 15: 5}}
	raw := EncodeHead(head)
	if want := []byte{0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}; !bytes.Equal(raw, want) {
		t.Errorf("EncodeHead = %x, want %x", raw, want)
	}
	if back, err := DecodeHead(raw); err != nil || back != head {
		t.Errorf("DecodeHead = %v, %v, want %v", back, err, head)
	}
	for _, n := range []int{0, 27, 29} {
		if _, err := DecodeHead(make([]byte, n)); !errors.Is(err, errHead) {
			t.Errorf("DecodeHead(%d bytes) = %v, want errHead", n, err)
		}
	}
}

func TestRange(t *testing.T) {
	for _, r := range []Range{
		{Incarnation: 7, First: 1},
		{Incarnation: 7, First: 9, Previous: edgeistry.Hash{1}, Entries: [][]byte{{1, 2}, {}, bytes.Repeat([]byte{3}, 300)}},
		{First: 1<<32 - 1, Entries: [][]byte{{1}}},
	} {
		raw, err := EncodeRange(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodeRange(raw)
		if err != nil || back.Incarnation != r.Incarnation || back.First != r.First || back.Previous != r.Previous || len(back.Entries) != len(r.Entries) {
			t.Errorf("DecodeRange = %v, %v, want %v", back, err, r)
		}
		for i := range r.Entries {
			if !bytes.Equal(back.Entries[i], r.Entries[i]) {
				t.Errorf("entry %d = %x, want %x", i, back.Entries[i], r.Entries[i])
			}
		}
		if want := rangeHead + rangeSize(r.Entries); len(raw) != want {
			t.Errorf("%d bytes, want %d", len(raw), want)
		}
	}
	if _, err := EncodeRange(Range{First: 1<<32 - 1, Entries: [][]byte{{1}, {2}}}); !errors.Is(err, errRange) {
		t.Errorf("sequence beyond 32 bits: %v", err)
	}
	if _, err := EncodeRange(Range{Entries: [][]byte{make([]byte, 1<<16)}}); !errors.Is(err, errRange) {
		t.Errorf("entry of 64 KiB: %v", err)
	}
}

func FuzzRange(f *testing.F) {
	f.Add(make([]byte, 24))
	f.Add(append(make([]byte, 24), 0, 1, 9, 0, 0))
	f.Add(append(make([]byte, 24), 0xFF, 0xFF, 9))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if head, err := DecodeHead(raw); err == nil && !bytes.Equal(EncodeHead(head), raw) {
			t.Fatal("head: no fixpoint")
		}
		r, err := DecodeRange(raw)
		if err != nil {
			return
		}
		again, err := EncodeRange(r)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("range: %x became %x, %v", raw, again, err)
		}
	})
}

func TestQueries(t *testing.T) {
	for _, q := range []Query{
		{},
		{HasFrom: true, From: 4294967295, HasCount: true, Count: 255},
		{HasFrom: true, From: 1, HasIncarnation: true, Incarnation: 3},
		{HasAfter: true, After: edgeistry.Place{Incarnation: 2, Sequence: 41}, HasCount: true, Count: 1, Wait: 30},
	} {
		m, err := NewRequest(CodeGET, "/l/temperature", Queries(q), nil)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := m.Query(); err != nil || back != q {
			t.Errorf("Query of %q = %+v, %v, want %+v", m.Queries(), back, err, q)
		}
	}
}

func TestTrace(t *testing.T) {
	timings := []Timing{{LegQueue, 0}, {LegLink, 9 * time.Millisecond}, {LegHome, time.Hour * 2}, {LegMesh, -1}}
	back, err := DecodeTrace(EncodeTrace(timings))
	want := []Timing{{LegQueue, 0}, {LegLink, 9 * time.Millisecond}, {LegHome, (1<<32 - 1) * time.Microsecond}, {LegMesh, 0}}
	if err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("DecodeTrace = %v, %v, want %v", back, err, want)
	}
	if n := len(EncodeTrace(make([]Timing, 100))); n > 64 {
		t.Errorf("a trace of %d bytes", n)
	}
	for _, raw := range [][]byte{nil, {2}, {1, 3}, make([]byte, 66)} {
		if _, err := DecodeTrace(raw); !errors.Is(err, errTrace) {
			t.Errorf("DecodeTrace(%x) = %v, want errTrace", raw, err)
		}
	}
}

func TestLinks(t *testing.T) {
	const device = `</l/temperature>;rt="edg.log";p=10;sz=2,</f/valve>;rt="edg.fn";arg="u8:0..100",</>;rt="edg.dev";bd="ATmega328P";fw="greenhouse/1.0";v=1`
	want := edgeistry.Manifest{
		Board: "ATmega328P", Firmware: "greenhouse/1.0",
		Logs:      []edgeistry.LogInfo{{Name: "temperature", Period: 10, Size: 2}},
		Functions: []edgeistry.FunctionInfo{{Name: "valve", Argument: "u8:0..100"}},
	}
	got, err := DecodeLinks([]byte(device))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("DecodeLinks = %+v, %v, want %+v", got, err, want)
	}
	if raw, err := EncodeLinks(want); err != nil || string(raw) != device {
		t.Errorf("EncodeLinks = %s, %v, want %s", raw, err, device)
	}
	other := "</a>;rt=x , </l/b>;title=\"a \\\"b\\\", c\";rt=edg.log;obs\n,</c>"
	got, err = DecodeLinks([]byte(other))
	if err != nil || len(got.Logs) != 1 || got.Logs[0].Name != "b" {
		t.Errorf("DecodeLinks(%q) = %+v, %v, want the log b", other, got, err)
	}
	for _, bad := range []string{
		"l", "<a", "</l/a", "</>;", "</>;=1", `</>;a="`, `</>;a="\`, "</>x", "</>,", ",",
		`</l/A>;rt="edg.log"`, `</x>;rt="edg.log"`, `</l/a>;rt="edg.log";p=-1`, `</l/a>;rt="edg.log";p=4294967296`,
		`</l/a>;rt="edg.log",</l/a>;rt="edg.log"`, `</f/a>;rt="edg.fn",</f/a>;rt="edg.fn"`,
		"</f/a>;rt=\"edg.fn\";arg=\"\x1b[2J\"", "</>;rt=\"edg.dev\";bd=\"\n\"",
		strings.Repeat("</>,", MaxLinks) + "</>", strings.Repeat("a", MaxLinkBytes+1),
	} {
		if m, err := DecodeLinks([]byte(bad)); !errors.Is(err, errLinks) {
			t.Errorf("DecodeLinks(%.60q) = %+v, %v, want errLinks", bad, m, err)
		}
	}
}

func FuzzLinks(f *testing.F) {
	f.Add(`</l/temperature>;rt="edg.log";p=10;sz=2,</>;rt="edg.dev";bd="x";fw="y";v=1`)
	f.Add(`</f/valve>;rt=edg.fn;arg="\"",<>`)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := DecodeLinks([]byte(text))
		if err != nil {
			return
		}
		once, err := EncodeLinks(m)
		if errors.Is(err, errLinks) {
			return // MaxLinks without a link to the device: one more does not fit
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeLinks(once)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

func TestParseURI(t *testing.T) {
	for _, c := range []struct {
		text string
		want URI
	}{
		{"coap://k51abc/.well-known/core", URI{Host: "k51abc", Path: []string{".well-known", "core"}}},
		{"COAP://K51/", URI{Host: "k51"}},
		{"coap://k51:5683/l/t?s=1&n=2", URI{Host: "k51", Port: "5683", Path: []string{"l", "t"}, Queries: []string{"s=1", "n=2"}}},
		{"coap://k51?a", URI{Host: "k51", Queries: []string{"a"}}},
		{"coap://k51/a%2Fb/", URI{Host: "k51", Path: []string{"a/b", ""}}},
		{"coap://[::1]/x", URI{Host: "[::1]", Path: []string{"x"}}},
	} {
		if got, err := ParseURI(c.text); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("ParseURI(%q) = %+v, %v, want %+v", c.text, got, err, c.want)
		}
	}
	for _, bad := range []string{
		"", "coap:", "coaps://k51/", "http://k51/", "//k51/", "coap://", "coap:///x", "coap://u@k51/", "coap://k51:x/", "coap://k51:123456/",
		"coap://k51/../k", "coap://k51/%2e%2E/k", "coap://k51/.", "coap://k51/%", "coap://k51/%1", "coap://k51/%zz", "coap://k51/a#f",
		"coap://k51/a b", "coap://k51/\x00", "coap://k51/é", "coap://k51/" + strings.Repeat("a", 256), "coap://" + strings.Repeat("a", maxURI),
	} {
		if got, err := ParseURI(bad); !errors.Is(err, errURI) {
			t.Errorf("ParseURI(%.60q) = %+v, %v, want errURI", bad, got, err)
		}
	}
}

func FuzzURI(f *testing.F) {
	f.Add("coap://k51:5683/l/t?s=1&n=2")
	f.Add("coap://[::1]/%2e%2e/%00")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURI(text)
		if err != nil {
			return
		}
		if len(text) > maxURI || u.Host == "" || u.Host != strings.ToLower(u.Host) {
			t.Fatalf("ParseURI(%q) = %+v", text, u)
		}
		for _, segment := range u.Path {
			if segment == "." || segment == ".." || len(segment) > 255 {
				t.Fatalf("ParseURI(%q): segment %q", text, segment)
			}
		}
	})
}
