package coap

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
		if got := appendUint([]byte{}, value); !bytes.Equal(got, want) {
			t.Errorf("appendUint(%d) = %x, want %x", value, got, want)
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

// reading is a request to read a log.
func reading(t testing.TB, queries ...string) *Message {
	t.Helper()
	m := &Message{Code: CodeGET}
	if err := m.SetPath("/l/temperature"); err != nil {
		t.Fatal(err)
	}
	for _, q := range queries {
		m.Add(OptionURIQuery, []byte(q))
	}
	return m
}

func TestQueryRoundTrip(t *testing.T) {
	for _, q := range []Query{
		{},
		{HasFrom: true, From: 1},
		{HasFrom: true, From: 41, HasCount: true, Count: 255, HasIncarnation: true, Incarnation: 7},
		{HasAfter: true, HasCount: true, Count: 1, Wait: 30},
	} {
		m := reading(t)
		m.SetQuery(q)
		got, err := m.Query()
		if err != nil || got != q {
			t.Errorf("Query(%q) = %+v, %v, want %+v", m.Queries(), got, err, q)
		}
	}
	for _, w := range []string{"w=0", "w=31", "w=01", "w="} {
		if q, err := reading(t, "a=1.1", w).Query(); err == nil {
			t.Errorf("Query(%q) = %+v", w, q)
		}
	}
	if _, err := reading(t, "w=1").Query(); err == nil {
		t.Error("w without a is taken")
	}
}
