package denylist_test

import (
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/denylist"
)

var (
	key     = capability.EpochKey{7}
	service = edgeistry.ServiceID{ // some public key: nothing is signed here
		0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
		0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
	}
)

func narrow(t *testing.T, c *capability.Capability, name string) *capability.Capability {
	t.Helper()
	n, err := c.Attenuate(rand.Reader, capability.FrameSpec{Grants: []capability.Grant{{Operations: capability.Read, Name: name}}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// caller is a caller with a session at a verifier, through a node that keeps a list.
type caller struct {
	t       *testing.T
	list    *denylist.List
	guard   *capability.Guard
	session *capability.Session
}

func newGuard(t *testing.T, mirror bool) *capability.Guard {
	t.Helper()
	g, err := capability.NewGuard(capability.GuardConfig{
		Hint: service.Hint(), Epoch: 1, Boot: 1, CookieKey: [32]byte{1}, BranchKey: key.BranchKeys(1), Slots: 3, Mirror: mirror,
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var now = capability.Now{Tick: 1000}

// headerSize is the length of a header in the carried form (docs/spec/capability.md).
const headerSize = 12

func start(t *testing.T, l *denylist.List, g *capability.Guard, c *capability.Capability, mirror bool) *caller {
	t.Helper()
	hello, err := c.NewHello(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hello.Mirror = mirror
	if j := l.Judge(hello.Message()); j != denylist.Pass {
		t.Fatalf("a hello is judged %d; it shows no frames", j)
	}
	resp := g.AnswerHello(hello.Message(), now)
	s, err := hello.Open(resp.Payload, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &caller{t, l, g, s}
}

// read makes a request and returns how the list judged it; one that passes is answered.
func (c *caller) read(name string) denylist.Judgement {
	c.t.Helper()
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/l/" + name); err != nil {
		c.t.Fatal(err)
	}
	p, err := c.session.Protect(m, 0, time.Now())
	if err != nil {
		c.t.Fatal(err)
	}
	if j := c.list.Judge(m); j != denylist.Pass {
		return j
	}
	a, resp := c.guard.Check(m, now)
	if a != nil {
		resp = a.Answer(&coap.Message{Code: coap.CodeContent}, now)
	}
	c.list.Learn(m, resp)
	if _, err := c.session.Verify(p, resp, time.Now()); err != nil {
		c.t.Fatal(err)
	}
	return denylist.Pass
}

// TestJudge follows a capability, one narrowed from it, and a sibling, while they are denied and
// let through again.
func TestJudge(t *testing.T) {
	owner := capability.Owner(service, key, 1)
	anna := narrow(t, owner, "temperature")
	bob := narrow(t, anna, "temperature")
	carl := narrow(t, owner, "temperature")
	for _, mirror := range []bool{false, true} {
		l, g := new(denylist.List), newGuard(t, mirror)
		open := start(t, l, g, bob, mirror)
		other := start(t, l, g, carl, mirror)
		if j1, j2 := open.read("temperature"), other.read("temperature"); j1 != denylist.Pass || j2 != denylist.Pass {
			t.Fatalf("with an empty list: %d, %d", j1, j2)
		}
		l.Set([]denylist.Fingerprint{denylist.Of(anna)})
		if j := open.read("temperature"); j != denylist.Denied {
			t.Errorf("in the session of what was narrowed from a denied one: %d, want Denied", j)
		}
		if j := other.read("temperature"); j != denylist.Unseen {
			t.Errorf("in the session of a sibling that was opened before: %d, want Unseen", j)
		}
		other = start(t, l, g, carl, mirror)
		for range 2 {
			if j := other.read("temperature"); j != denylist.Pass {
				t.Errorf("in a session of a sibling: %d, want Pass", j)
			}
		}
		for _, c := range []*capability.Capability{anna, bob} {
			if j := start(t, l, g, c, mirror).read("temperature"); j != denylist.Denied {
				t.Errorf("opening under %s: %d, want Denied", c, j)
			}
		}
		if j := start(t, l, g, narrow(t, carl, "temperature"), mirror).read("temperature"); j != denylist.Pass {
			t.Errorf("opening under another: %d, want Pass", j)
		}
		restarted := new(denylist.List)
		open.list, other.list = restarted, restarted
		if j := other.read("temperature"); j != denylist.Pass {
			t.Errorf("a session not seen opened, with an empty list: %d, want Pass", j)
		}
		restarted.Set([]denylist.Fingerprint{denylist.Of(anna)})
		if j := other.read("temperature"); j != denylist.Unseen {
			t.Errorf("a session not seen opened, with a list: %d, want Unseen", j)
		}
		l.Set(nil)
		open.list = l
		if j := open.read("temperature"); j != denylist.Pass {
			t.Errorf("after the entry was taken out: %d, want Pass", j)
		}
	}
}

// TestSlotUsedAgain gives a slot to another capability: the one before it no longer counts.
func TestSlotUsedAgain(t *testing.T) {
	owner := capability.Owner(service, key, 1)
	anna, carl := narrow(t, owner, "a"), narrow(t, owner, "b")
	l := new(denylist.List)
	start(t, l, newGuard(t, false), anna, false).read("a")
	c := start(t, l, newGuard(t, false), carl, false) // a device that has started anew: its first slot again
	c.read("b")
	l.Set([]denylist.Fingerprint{denylist.Of(anna)})
	c = start(t, l, c.guard, carl, false)
	for range 2 {
		if j := c.read("b"); j != denylist.Pass {
			t.Errorf("in a slot that was a denied capability's before: %d, want Pass", j)
		}
	}
	l.Set([]denylist.Fingerprint{denylist.Of(carl)})
	if j := c.read("b"); j != denylist.Denied {
		t.Errorf("in a slot that is a denied capability's now: %d, want Denied", j)
	}
}

// TestSlotLost lets a capability take the slot of another, which does not know, and denies it.
// Shown the frames, the list tells them apart: the other is to open anew, the denied one is denied.
func TestSlotLost(t *testing.T) {
	owner := capability.Owner(service, key, 1)
	anna := narrow(t, owner, "a")
	l := new(denylist.List)
	c := start(t, l, newGuard(t, false), owner, false)
	c.read("b")
	lost := start(t, l, newGuard(t, false), anna, false) // a device that has started anew: its first slot again
	lost.read("a")
	l.Set([]denylist.Fingerprint{denylist.Of(anna)})
	for _, c := range []*caller{c, lost} {
		if j := c.read("b"); j != denylist.Denied {
			t.Errorf("with no frames shown, in a slot that a denied capability opened last: %d, want Denied", j)
		}
		c.showFrames()
	}
	if j := c.read("b"); j != denylist.Unseen {
		t.Errorf("with the frames of who had the slot before: %d, want Unseen", j)
	}
	if j := lost.read("a"); j != denylist.Denied {
		t.Errorf("with the frames of the denied capability: %d, want Denied", j)
	}
	c = start(t, l, lost.guard, owner, false)
	if j := c.read("b"); j != denylist.Pass {
		t.Errorf("opened anew: %d, want Pass", j)
	}
}

// showFrames lets the session have heard a refusal of the list.
func (c *caller) showFrames() {
	c.t.Helper()
	m := &coap.Message{Code: coap.CodeGET}
	p, err := c.session.Protect(m, 0, time.Now())
	if err == nil {
		_, err = c.session.Verify(p, denylist.Refusal(denylist.Denied), time.Now())
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// TestSlotTakenUnseen lets a capability take a slot in a way that this node does not see: through
// another home node, or by an OPEN whose answer never came. Once it is denied here nobody takes its
// session for that of whoever had the slot before.
func TestSlotTakenUnseen(t *testing.T) {
	owner := capability.Owner(service, key, 1)
	anna, carl := narrow(t, owner, "a"), narrow(t, owner, "b")
	here, there := new(denylist.List), new(denylist.List)
	start(t, here, newGuard(t, false), carl, false).read("b")
	c := start(t, there, newGuard(t, false), anna, false) // a device that has started anew: its first slot again
	c.read("a")
	c.list = here
	if j := c.read("a"); j != denylist.Pass {
		t.Errorf("before anything is denied: %d, want Pass", j)
	}
	here.Set([]denylist.Fingerprint{denylist.Of(anna)})
	if j := c.read("a"); j == denylist.Pass {
		t.Error("a denied capability acts in a slot in which this node saw another one")
	}
	c = start(t, here, c.guard, carl, false)
	c.read("b")
	here.Set([]denylist.Fingerprint{denylist.Of(anna)})
	if j := c.read("b"); j != denylist.Pass {
		t.Errorf("after the same list again: %d, want Pass", j)
	}
	here.Set(nil)
	if j := c.read("b"); j != denylist.Pass {
		t.Errorf("after an entry was taken out: %d, want Pass", j)
	}
}

// TestCarried looks into carried forms of several parts with discharges, in each form of option
// 65001 that has one.
func TestCarried(t *testing.T) {
	header := func(branch byte) []byte {
		return append([]byte{0x10 | branch}, make([]byte, headerSize-1)...)
	}
	first := append(header(1), 2, 'a', 'b', 0)
	second := append(header(2), 1, 'c')
	carried := append([]byte{}, first...)
	carried = append(carried, 0xF1, 3, 'x', 'y', 'z')
	carried = append(carried, make([]byte, 16)...)
	carried = append(carried, 0xE0)
	carried = append(carried, second...)
	of := func(b []byte) denylist.Fingerprint {
		sum := sha256.Sum256(b)
		return denylist.Fingerprint(sum[:])
	}
	forms := map[string][]byte{}
	for _, bits := range []byte{0, 0x40, 0x80, 0xC0} {
		open := append([]byte{0x1F | bits, 0xFF}, make([]byte, 8+16+4+1)...)
		open[len(open)-2] = 1 // sequence
		forms["OPEN "+string('0'+bits>>6)] = append(append(append(open, byte(len(carried))), carried...), make([]byte, 16)...)
		frames := []byte{0x30 | bits, 2, 0, 0, 0, 1, 0, 0, 0}
		forms["SESSION-FRAMES "+string('0'+bits>>6)] = append(append(append(frames, byte(len(carried))), carried...), make([]byte, 8)...)
	}
	for name, value := range forms {
		m := &coap.Message{Code: coap.CodePOST}
		m.Add(coap.OptionRequest, value)
		for what, tt := range map[string]struct {
			entry denylist.Fingerprint
			want  bool
		}{
			"first frame of the first part": {of(first[:len(first)-1]), true},
			"last frame of the first part":  {of(first), true},
			"second part":                   {of(second), true},
			"header alone":                  {of(second[:headerSize]), false},
			"both parts as one":             {of(carried), false},
		} {
			l := new(denylist.List)
			l.Set([]denylist.Fingerprint{tt.entry})
			if got := l.Judge(m) == denylist.Denied; got != tt.want {
				t.Errorf("%s, %s: denied %v, want %v", name, what, got, tt.want)
			}
		}
	}
}

func TestParse(t *testing.T) {
	f := denylist.Of(capability.Owner(service, key, 1))
	if got, err := denylist.Parse(f.String()); err != nil || got != f {
		t.Errorf("Parse(%s) = %s, %v", f, got, err)
	}
	for _, bad := range []string{"", "00", f.String() + "00", "x" + f.String()[1:]} {
		if _, err := denylist.Parse(bad); err == nil {
			t.Errorf("Parse(%q) gave no error", bad)
		}
	}
}

// FuzzJudge takes any option whatever: no panic, and what a verifier would look at is found.
func FuzzJudge(f *testing.F) {
	f.Add([]byte{0x1F, 0xFF, 0, 0})
	f.Add(append([]byte{0x30, 1, 0, 0, 0, 1, 0, 0, 9, 13, 0x10}, make([]byte, 12+8)...))
	f.Fuzz(func(t *testing.T, value []byte) {
		l := new(denylist.List)
		l.Set([]denylist.Fingerprint{{1}})
		m := &coap.Message{Code: coap.CodePOST}
		m.Add(coap.OptionRequest, value)
		l.Judge(m)
		l.Learn(m, m)
		shown, ok := capability.ShownFingerprints(m)
		for _, fp := range shown {
			l.Set([]denylist.Fingerprint{fp})
			if l.Judge(m) != denylist.Denied {
				t.Errorf("%x, carried %v: fingerprint %x is not found", value, ok, fp)
			}
		}
	})
}
