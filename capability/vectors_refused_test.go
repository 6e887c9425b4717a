package capability

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

// playMalformed: what is refused before any key is used. Each is signed, so that only its form is wrong.
func playMalformed(t *testing.T, v *vectors) {
	s := newScript(t, v, "malformed", nil)
	defer s.end()
	header := wide(t, 1).Header.encode()
	hello := append(bytesFor("nonce", nonceSize), header[:]...)
	for _, c := range []struct {
		id      string
		payload []byte
	}{
		{"empty", nil},
		{"short", hello[:19]},
		{"long", append(bytes.Clone(hello), 0)},
		{"version-2", changed(hello, 8, 0x23)},
		{"version-0", changed(hello, 8, 0x03)},
		{"mirror", changed(hello, 8, 0x93)},
	} {
		m := plainMessage(coap.CodePOST, "h")
		m.Payload = c.payload
		s.step("hello-"+c.id, m, ReasonMalformed)
	}
	k := s.opened("a", wide(t, 1))
	n := uint32(1)
	step := func(id string, want Reason, change func(*coap.Message)) {
		t.Helper()
		m := callMessage("valve", 1)
		change(m)
		n++
		s.step(id, k.request(n, s.now.Tick, 100, m, nil), want)
	}
	option := func(number uint16, length int) func(*coap.Message) {
		return func(m *coap.Message) { m.Add(number, make([]byte, length)) }
	}
	step("if-match-8", 0, option(coap.OptionIfMatch, 8))
	step("if-match-9", ReasonMalformed, option(coap.OptionIfMatch, 9))
	step("if-none-match-1", ReasonMalformed, option(coap.OptionIfNoneMatch, 1))
	step("content-format-3", ReasonMalformed, option(coap.OptionContentFormat, 3))
	step("accept-3", ReasonMalformed, option(coap.OptionAccept, 3))
	step("block1-4", ReasonMalformed, option(coap.OptionBlock1, 4))
	step("block2-4", ReasonMalformed, option(coap.OptionBlock2, 4))
	step("request-tag-8", 0, option(coap.OptionRequestTag, 8))
	step("request-tag-9", ReasonMalformed, option(coap.OptionRequestTag, 9))
	step("observe-4", ReasonMalformed, option(coap.OptionObserve, 4))
	step("path-segment-31", ReasonNotFound, func(m *coap.Message) { m.Options[1].Value = []byte(strings.Repeat(".", 31)) })
	step("path-segment-32", ReasonMalformed, func(m *coap.Message) { m.Options[1].Value = []byte(strings.Repeat("a", 32)) })
	step("path-3-segments", ReasonNotFound, option(coap.OptionURIPath, 1))
	step("path-4-segments", ReasonMalformed, func(m *coap.Message) { m.Add(coap.OptionURIPath, []byte("a")); m.Add(coap.OptionURIPath, []byte("b")) })
	step("query-32", ReasonMalformed, option(coap.OptionURIQuery, 32))
	step("query-5-of-them", ReasonMalformed, func(m *coap.Message) {
		for range 5 {
			m.Add(coap.OptionURIQuery, []byte("n=1"))
		}
	})
	step("observe-twice", ReasonMalformed, func(m *coap.Message) { m.Add(coap.OptionObserve, nil); m.Add(coap.OptionObserve, nil) })
	step("32-options", 0, many(29))
	step("33-options", ReasonMalformed, many(30))
	step("33-options-the-first-of-them-wrong", ReasonMalformed, func(m *coap.Message) { m.Add(coap.OptionURIHost, []byte("x")); many(29)(m) })
	step("wrong-option-before-wrong-length", ReasonBadOption, func(m *coap.Message) {
		m.Add(coap.OptionURIHost, []byte("x"))
		m.Add(coap.OptionAccept, make([]byte, 3))
	})
	step("wrong-length-before-wrong-option", ReasonMalformed, func(m *coap.Message) {
		m.Add(coap.OptionIfMatch, make([]byte, 9))
		m.Add(coap.OptionURIHost, []byte("x"))
	})
	step("observe-twice-the-second-2", ReasonMalformed, func(m *coap.Message) { m.Add(coap.OptionObserve, nil); m.Add(coap.OptionObserve, []byte{2}) })
	twice := k.request(n+1, s.now.Tick, 100, callMessage("valve", 1), nil)
	value, _ := twice.Get(coap.OptionRequest)
	twice.Add(coap.OptionRequest, value)
	s.step("65001-twice", twice, ReasonMalformed)
	for _, length := range []int{0, 1, 16} {
		m := callMessage("valve", 1)
		m.Add(coap.OptionRequest, appendSession(nil, 0, k.slot, 9, 0, 100, nil)[:length])
		s.step(name("65001-of-%d", length), m, ReasonMalformed)
	}
}

// crowded fills m up to n options.
func crowded(m *coap.Message, n int) *coap.Message {
	for len(m.Options) < n {
		m.Add(coap.OptionIfMatch, nil)
	}
	return m
}

func changed(b []byte, at int, value byte) []byte {
	b = bytes.Clone(b)
	b[at] = value
	return b
}

// many adds n options to the two of the path; with 65001 they are n + 3.
func many(n int) func(*coap.Message) {
	return func(m *coap.Message) {
		for range n {
			m.Add(coap.OptionIfMatch, nil)
		}
	}
}

// playOptions: reason 2, and the options that a protected request may have.
func playOptions(t *testing.T, v *vectors) {
	s := newScript(t, v, "options", nil)
	defer s.end()
	k := s.opened("a", wide(t, 1))
	n := uint32(1)
	step := func(id string, number uint16, value []byte, want Reason) {
		t.Helper()
		m := callMessage("valve", 1)
		m.Add(number, value)
		n++
		s.step(id, k.request(n, s.now.Tick, 100, m, nil), want)
	}
	for _, number := range []uint16{
		coap.OptionURIHost, coap.OptionURIPort, coap.OptionMaxAge, coap.OptionHopLimit, coap.OptionProxyURI, coap.OptionProxyScheme, coap.OptionTrace,
		coap.OptionETag, coap.OptionResponse, 2, 8, 9, 20, 31, 258, 2049, 64999, 65002, 65535,
	} {
		step(name("option-%d", number), number, []byte{1}, ReasonBadOption)
	}
	step("size1", coap.OptionSize1, []byte{1, 0}, 0)
	step("size2", coap.OptionSize2, nil, 0)
	step("accept", coap.OptionAccept, []byte{42}, 0)
	step("content-format", coap.OptionContentFormat, []byte{42}, 0)
	step("block1", coap.OptionBlock1, []byte{6}, 0)
	step("observe-2", coap.OptionObserve, []byte{2}, ReasonBadOption)
	step("observe-2-bytes", coap.OptionObserve, []byte{0, 1}, ReasonBadOption)
	m := withObserve(readMessage("temperature"), 0)
	m.Options[0].Value = []byte{0}
	n++
	s.step("observe-00", k.request(n, s.now.Tick, 100, m, nil), 0)
	added := k.request(n+1, s.now.Tick, 100, callMessage("valve", 1), nil)
	added.AddUint(coap.OptionSize1, 9)
	s.step("size1-added-on-the-way", added, 0)
	added = k.request(n+2, s.now.Tick, 100, callMessage("valve", 1), nil)
	added.AddUint(coap.OptionAccept, 9)
	s.step("accept-added-on-the-way", added, ReasonTag)
	added.Remove(coap.OptionAccept)
	added.Add(coap.OptionURIHost, []byte("x"))
	s.step("uri-host-left-in", added, ReasonBadOption)
	added.Remove(coap.OptionURIHost)
	s.step("uri-host-taken-out", added, 0)
}

func playQueries(t *testing.T, v *vectors) {
	s := newScript(t, v, "queries", nil)
	defer s.end()
	k := s.opened("a", wide(t, 1))
	n := uint32(1)
	for _, c := range queryCases() {
		n++
		s.step(c.id, k.request(n, s.now.Tick, 100, readMessage("temperature", c.queries...), nil), c.want)
	}
	m := callMessage("valve", 1)
	m.Add(coap.OptionURIQuery, []byte("s=1"))
	s.step("query-of-a-post", k.request(n+1, s.now.Tick, 100, m, nil), ReasonBadOption)
}

type queryCase struct {
	id      string
	queries []string
	want    Reason
}

func queryCases() []queryCase {
	list := []queryCase{
		{"s", []string{"s=1"}, 0},
		{"s-n", []string{"s=1", "n=255"}, 0},
		{"n-s", []string{"n=255", "s=1"}, 0},
		{"s-largest", []string{"s=4294967295"}, 0},
		{"a", []string{"a=7.41"}, 0},
		{"a-zero", []string{"a=0.0", "n=1"}, 0},
		{"a-largest", []string{"a=4294967295.4294967295"}, 0},
		{"s-i", []string{"s=1", "i=0"}, 0},
		{"s-n-i", []string{"s=1", "n=2", "i=6"}, 0},
	}
	for _, bad := range []string{
		"s=0", "s=", "s", "", "s=01", "s=-1", "s=+1", "s= 1", "s=1 ", "s=1x", "s=4294967296", "s=10000000000", "s=00000000001",
		"n=1", "i=1", "s=1&n=1", "s=1 n=0", "s=1 n=256", "s=1 n=01", "s=1 s=2", "s=1 n=1 n=1", "s=1 i=1 i=1",
		"a=7", "a=.", "a=7.", "a=.1", "a=7.01", "a=07.1", "a=7.1.1", "a=7.4294967296", "a=7.1 a=7.1", "a=7.1 i=1", "s=1 a=7.1",
		"n=4294967297", "i=4294967296", "a=4294967296.1", "a=99999999999.1", "i=00", "a=00.1",
		"x=1", "S=1", "ss=1", "s:1", "w=1", "a=7.1 w=1",
	} {
		queries := strings.Split(bad, " ")
		if bad == "s= 1" || bad == "s=1 " {
			queries = []string{bad}
		}
		list = append(list, queryCase{"bad " + bad, queries, ReasonBadOption})
	}
	for i := range list {
		list[i].id = strings.NewReplacer(" ", "_", "=", ":").Replace(list[i].id)
	}
	return list
}

func playMirror(t *testing.T, v *vectors) {
	mirrorOnly := func(branch, generation uint8) (BranchKey, bool) {
		return testKey().Branch(1, branch, generation), branch == BranchMirror
	}
	s := newScript(t, v, "mirror", func(cfg *GuardConfig) {
		cfg.Mirror, cfg.BranchKey, cfg.CookieKey = true, mirrorOnly, [32]byte(bytesFor("mirror cookie key", 32))
	})
	defer s.end()
	c := branchCapability(t, BranchMirror, 0, 1)
	k := s.helloMirror("a", c, true)
	k.noteSlot(s.step("open", k.open(1, 100, readMessage("temperature")), 0))
	s.step("read", k.request(2, s.now.Tick, 100, readMessage("temperature", "s=1"), nil), 0)
	s.step("observe", k.request(3, s.now.Tick, 100, withObserve(readMessage("temperature"), 0), nil), 0)
	s.step("call", k.request(4, s.now.Tick, 100, callMessage("valve", 1), nil), ReasonDenied)
	s.step("append", k.request(5, s.now.Tick, 100, postMessage("l", "events"), nil), ReasonDenied)
	device := *k
	device.mirror = 0
	s.step("form-of-the-device", device.request(6, s.now.Tick, 100, readMessage("temperature"), nil), ReasonMalformed)
	plain := &Hello{capability: c}
	s.step("hello-of-the-device", plain.Message(), ReasonMalformed)
	other := s.helloMirror("branch-3", wide(t, 1), true)
	s.step("open-of-branch-3", other.open(1, 100, readMessage("temperature")), ReasonEpoch)
}

// playTickWrap: ticks are counted modulo 2^32, so a device that has run for 13.6 years goes on.
func playTickWrap(t *testing.T, v *vectors) {
	s := newScript(t, v, "tick-wrap", nil)
	defer s.end()
	s.now.Tick = math.MaxUint32 - 10
	early := s.hello("early", wide(t, 1))
	late := s.hello("late", wide(t, 2))
	s.now.Tick += 20 // 9
	early.noteSlot(s.step("open-with-a-cookie-from-before", early.open(1, 100, callMessage("valve", 1)), 0))
	s.step("tick-from-before", early.request(2, math.MaxUint32, 100, callMessage("valve", 2), nil), 0)
	s.step("tick-from-before-and-stale", early.request(3, math.MaxUint32, 9, callMessage("valve", 2), nil), ReasonStale)
	s.step("tick-from-before-at-the-hold", early.request(4, math.MaxUint32, 10, callMessage("valve", 2), nil), 0)
	s.now.Tick = 90 // 101 ticks after the hello
	s.step("open-with-a-cookie-too-old", late.open(1, 100, callMessage("valve", 1)), ReasonCookie)
}

// playObserve: a GET of a log with Observe is an OBSERVE, whichever value it has.
func playObserve(t *testing.T, v *vectors) {
	s := newScript(t, v, "observe", nil)
	defer s.end()
	grant := func(op Operations) FrameSpec {
		return FrameSpec{Grants: []Grant{{Operations: op, Name: "temperature"}}}
	}
	open := func(name string, nonce byte, op Operations) *caller {
		k := s.hello(name, wide(t, nonce, grant(op)))
		s.deny("open-"+name, k.open(1, 100, callMessage("valve", 1)), denied(2, TypeGrant))
		k.slot = nonce
		return k
	}
	reader, observer := open("reader", 1, Read), open("observer", 2, Observe)
	s.step("reader-reads", reader.request(2, s.now.Tick, 100, readMessage("temperature"), nil), 0)
	for value := range uint32(2) {
		m := withObserve(readMessage("temperature"), value)
		s.deny(name("reader-with-observe-%d", value), reader.request(3+value, s.now.Tick, 100, m, nil), denied(2, TypeGrant))
		m = withObserve(readMessage("temperature"), value)
		s.step(name("observer-with-observe-%d", value), observer.request(3+value, s.now.Tick, 100, m, nil), 0)
	}
	s.deny("observer-reads", observer.request(6, s.now.Tick, 100, readMessage("temperature"), nil), denied(2, TypeGrant))
}

// playUnprotected: what is asked without a capability, and a hello that is more than a hello.
func playUnprotected(t *testing.T, v *vectors) {
	s := newScript(t, v, "unprotected", nil)
	defer s.end()
	with := func(m *coap.Message, number uint16, value ...byte) *coap.Message { m.Add(number, value); return m }
	s.step("read", readMessage("temperature"), ReasonNeedCapability)
	s.step("call", callMessage("valve", 1), ReasonNeedCapability)
	s.step("time", plainMessage(coap.CodePOST, "t"), ReasonNeedCapability)
	s.step("call-by-get", plainMessage(coap.CodeGET, "f", "valve"), ReasonMethod)
	s.step("hello-by-get", plainMessage(coap.CodeGET, "h"), ReasonMethod)
	s.step("claim-by-get", plainMessage(coap.CodeGET, "k"), ReasonMethod)
	s.step("links-by-post", plainMessage(coap.CodePOST, ".well-known", "core"), ReasonMethod)
	s.step("no-such-resource", plainMessage(coap.CodeGET, "x"), ReasonNotFound)
	s.step("wrong-query-first", readMessage("temperature", "s=0"), ReasonBadOption)
	s.step("wait", readMessage("temperature", "a=1.1", "w=1"), ReasonBadOption)
	s.step("critical-option-first", with(plainMessage(coap.CodeGET, "x"), 2049, 1), ReasonBadOption)
	s.step("elective-option-is-ignored", with(readMessage("temperature"), 2048, 1), ReasonNeedCapability)
	s.step("33-options-first", crowded(plainMessage(coap.CodeGET, "x"), 33), ReasonMalformed)
	header := wide(t, 1).Header.encode()
	hello := func() *coap.Message {
		m := plainMessage(coap.CodePOST, "h")
		m.Payload = append(bytesFor("nonce", nonceSize), header[:]...)
		return m
	}
	s.step("hello", hello(), 0)
	s.step("hello-with-accept", with(hello(), coap.OptionAccept, 42), ReasonBadOption)
	s.step("hello-with-a-query", with(hello(), coap.OptionURIQuery, []byte("n=1")...), ReasonBadOption)
	s.step("hello-with-an-elective-option", with(hello(), 2048, 1), 0)
}

func playTooLarge(t *testing.T, v *vectors) {
	s := newScript(t, v, "too-large", func(cfg *GuardConfig) { cfg.MaxCarried = 48 })
	defer s.end()
	k := s.hello("a", testChain(t, 4))
	s.step("open", k.open(1, 100, callMessage("valve", 1)), ReasonTooLarge)
	s.step("frames", k.request(2, s.now.Tick, 100, callMessage("valve", 1), k.carried), ReasonTooLarge)
}
