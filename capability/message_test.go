package capability

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestMessageOptionsStayInOrder(t *testing.T) {
	var m Message
	m.Add(OptionURIPath, []byte("l"))
	m.Add(OptionRequest, []byte{1})
	m.Add(OptionObserve, nil)
	m.Add(OptionURIPath, []byte("x"))
	m.Add(OptionURIQuery, []byte("n=1"))
	var numbers []uint16
	for _, o := range m.Options {
		numbers = append(numbers, o.Number)
	}
	if want := []uint16{6, 11, 11, 15, 65001}; !slices.Equal(numbers, want) {
		t.Errorf("numbers = %v, want %v", numbers, want)
	}
	if got := m.Path(); got != "/l/x" {
		t.Errorf("Path() = %q, want /l/x", got)
	}
	m.Set(OptionURIPath, []byte("y"))
	if got := m.Path(); got != "/y" {
		t.Errorf("after Set, Path() = %q, want /y", got)
	}
	m.Remove(OptionURIPath)
	if got := m.Path(); got != "/" {
		t.Errorf("after Remove, Path() = %q, want /", got)
	}
	if _, ok := m.Get(OptionURIPath); ok {
		t.Error("Get finds an option that was removed")
	}
	c := m.Clone()
	c.Options[0].Value = append(c.Options[0].Value, 1)
	if v, _ := m.Get(OptionObserve); len(v) != 0 {
		t.Error("a clone shares its options")
	}
}

func TestUint(t *testing.T) {
	for value, want := range map[uint32][]byte{
		0: {}, 1: {1}, 255: {255}, 256: {1, 0}, 0x10000: {1, 0, 0}, 0x01000000: {1, 0, 0, 0}, 0xffffffff: {255, 255, 255, 255},
	} {
		if got := AppendUint([]byte{}, value); !bytes.Equal(got, want) {
			t.Errorf("AppendUint(%d) = %x, want %x", value, got, want)
		}
		m := &Message{}
		m.AddUint(OptionSize1, value)
		if got, ok := m.GetUint(OptionSize1); !ok || got != value {
			t.Errorf("GetUint = %d, %v, want %d", got, ok, value)
		}
	}
	m := &Message{Options: []Option{{OptionSize1, make([]byte, 5)}}}
	if _, ok := m.GetUint(OptionSize1); ok {
		t.Error("GetUint took 5 bytes")
	}
}

func TestSetPath(t *testing.T) {
	for _, path := range []string{"/", "/t", "/l/temperature", "/.well-known/core", "/a/b/c"} {
		m := &Message{Options: []Option{{OptionURIPath, []byte("old")}}}
		if err := m.SetPath(path); err != nil || m.Path() != path {
			t.Errorf("SetPath(%q): %v, Path() = %q", path, err, m.Path())
		}
	}
	for _, path := range []string{"", "l/temperature", "//", "/l/", "/a/b/c/d", "/l/" + strings.Repeat("x", 32)} {
		m := &Message{}
		if err := m.SetPath(path); err == nil {
			t.Errorf("SetPath(%q) is taken", path)
		}
		if len(m.Options) != 0 {
			t.Errorf("SetPath(%q) failed and left options", path)
		}
	}
}

func TestQueryRoundTrip(t *testing.T) {
	for _, q := range []Query{
		{},
		{HasFrom: true, From: 1},
		{HasFrom: true, From: 41, HasCount: true, Count: 255, HasIncarnation: true, Incarnation: 7},
		{HasAfter: true, HasCount: true, Count: 1, Wait: 30},
	} {
		m := readMessage("temperature")
		m.SetQuery(q)
		got, err := m.Query()
		if err != nil || got != q {
			t.Errorf("Query(%q) = %+v, %v, want %+v", m.Queries(), got, err, q)
		}
	}
	for _, w := range []string{"w=0", "w=31", "w=01", "w="} {
		if q, err := readMessage("temperature", "a=1.1", w).Query(); err == nil {
			t.Errorf("Query(%q) = %+v", w, q)
		}
	}
	if _, err := readMessage("temperature", "w=1").Query(); err == nil {
		t.Error("w without a is taken")
	}
}

func TestCanonicalRefuses(t *testing.T) {
	proof := appendSession(nil, 0, 1, 1, 0, 100, nil)
	answer := appendAnswerProof(nil, formSession, 0, 1, 0, 0)
	for id, m := range map[string]*Message{
		"no 65001":           {Code: CodeGET},
		"65001 empty":        {Options: []Option{{OptionRequest, nil}}},
		"65001 of one byte":  {Options: []Option{{OptionRequest, []byte{formOpen}}}},
		"65001 twice":        {Options: []Option{{OptionRequest, proof}, {OptionRequest, proof}}},
		"form unknown":       {Options: []Option{{OptionRequest, changed(proof, 0, 0x50)}}},
		"order descends":     {Options: []Option{{OptionRequest, proof}, {OptionURIPath, nil}}},
		"uncovered option":   {Options: []Option{{OptionETag, []byte{1}}, {OptionRequest, proof}}},
		"option of 64 KiB":   {Options: []Option{{OptionURIPath, make([]byte, 0x10000)}, {OptionRequest, proof}}},
		"payload of 64 KiB":  {Options: []Option{{OptionRequest, proof}}, Payload: make([]byte, 0x10000)},
		"an answer's 65000":  {Options: []Option{{OptionResponse, answer}}},
		"an answer's in all": {Options: []Option{{OptionResponse, answer}, {OptionRequest, proof}}},
	} {
		if b, err := CanonicalRequest(nil, m); err == nil {
			t.Errorf("%s: CanonicalRequest = %x", id, b)
		}
	}
	for id, m := range map[string]*Message{
		"no 65000":          {Code: CodeContent},
		"65000 twice":       {Options: []Option{{OptionResponse, answer}, {OptionResponse, answer}}},
		"form unknown":      {Options: []Option{{OptionResponse, changed(answer, 0, 0x30)}}},
		"order descends":    {Options: []Option{{OptionResponse, answer}, {OptionETag, nil}}},
		"payload of 64 KiB": {Options: []Option{{OptionResponse, answer}}, Payload: make([]byte, 0x10000)},
	} {
		if b, err := CanonicalResponse(nil, m); err == nil {
			t.Errorf("%s: CanonicalResponse = %x", id, b)
		}
	}
}

func TestAddressing(t *testing.T) {
	c := wide(t, 1)
	for _, mirror := range []bool{false, true} {
		h := &Hello{Mirror: mirror, capability: c}
		if m := h.Message(); !IsHello(m) || IsOpen(m) || IsMirror(m) != mirror {
			t.Errorf("hello, mirror %v: IsHello %v, IsOpen %v, IsMirror %v", mirror, IsHello(m), IsOpen(m), IsMirror(m))
		}
		for _, form := range []uint8{formOpen, formSession, formSessionFrames} {
			m := &Message{Options: []Option{{OptionRequest, []byte{form | mirrorFlag(mirror)}}}}
			if IsHello(m) || IsOpen(m) != (form == formOpen) || IsMirror(m) != mirror {
				t.Errorf("form %02x: IsHello %v, IsOpen %v, IsMirror %v", form, IsHello(m), IsOpen(m), IsMirror(m))
			}
		}
	}
	if m := callMessage("valve"); IsHello(m) || IsOpen(m) || IsMirror(m) {
		t.Error("a bare call passes for a hello, an OPEN, or one for the mirror")
	}
}
