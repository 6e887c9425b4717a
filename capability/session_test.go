package capability

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// pair of a caller and a verifier on one clock.
type meeting struct {
	t     testing.TB
	g     *Guard
	start time.Time
	now   time.Time
	runs  int // how often something ran
	seed  uint64
}

const meetingTick = 5000 // at the start

func newMeeting(t testing.TB, change func(*GuardConfig)) *meeting {
	t.Helper()
	ke := testKey()
	cfg := GuardConfig{
		Hint: testService().Hint(), Epoch: 1, Boot: scriptBoot, CookieKey: ke.CookieKey(scriptBoot), BranchKey: ke.BranchKeys(1),
	}
	if change != nil {
		change(&cfg)
	}
	g, err := NewGuard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	return &meeting{t: t, g: g, start: start, now: start}
}

func (m *meeting) verifierNow() Now {
	return Now{Tick: meetingTick + uint32(m.now.Sub(m.start)/TickDuration), Unix: uint32(m.now.Unix())}
}

func (m *meeting) do(req *coap.Message) *coap.Message {
	if IsHello(req) {
		return m.g.AnswerHello(req, m.verifierNow())
	}
	a, resp := m.g.Check(req, m.verifierNow())
	if a == nil {
		return resp
	}
	m.runs++
	return a.Answer(application(a, a.Request), m.verifierNow())
}

func (m *meeting) session(c *Capability) *Session {
	m.t.Helper()
	m.seed++
	h, err := c.NewHello(newRandom(m.seed))
	if err != nil {
		m.t.Fatal(err)
	}
	h.Mirror = m.g.cfg.Mirror
	s, err := h.Open(m.do(h.Message()).Payload, m.now)
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// ask protects, sends and verifies.
func (m *meeting) ask(s *Session, req *coap.Message) Verdict {
	m.t.Helper()
	p, err := s.Protect(req, 0, m.now)
	if err != nil {
		m.t.Fatal(err)
	}
	v, err := s.Verify(p, m.do(req), m.now)
	if err != nil {
		m.t.Fatal(err)
	}
	return v
}

func TestSession(t *testing.T) {
	m := newMeeting(t, nil)
	c, err := Owner(testService(), testKey(), 1).Attenuate(newRandom(1), FrameSpec{Grants: []Grant{
		{Operations: Call, Name: "valve", Parts: []Limit{{Type: TypeBound, Bound: Bound{Width: 1, Max: 30}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s := m.session(c)
	if s.Boot() != scriptBoot || s.Opened() {
		t.Errorf("Boot() = %d, Opened() = %v before the first request", s.Boot(), s.Opened())
	}
	if v := m.ask(s, callMessage("valve", 20)); !v.Tagged || v.Reason != ReasonNone || v.Tick != meetingTick {
		t.Errorf("first request: %+v", v)
	}
	if !s.Opened() {
		t.Error("not opened by the first answer")
	}
	for i := range 100 {
		m.now = m.now.Add(time.Duration(i) * 100 * time.Millisecond)
		if v := m.ask(s, callMessage("valve", 30)); !v.Tagged || v.Reason != ReasonNone {
			t.Fatalf("request %d: %+v", i, v)
		}
	}
	want := Verdict{Tagged: true, Reason: ReasonDenied, Frame: 2, Constraint: TypeBound, Tick: m.verifierNow().Tick}
	if v := m.ask(s, callMessage("valve", 31)); v != want {
		t.Errorf("widened: %+v, want %+v", v, want)
	}
	if m.runs != 101 {
		t.Errorf("%d requests ran, want 101", m.runs)
	}
	m.g.SetGeneration(0, 0)
	if v := m.ask(s, callMessage("valve", 1)); v.Tagged || v.Reason != ReasonNoSession {
		t.Errorf("after the sessions ended: %+v", v)
	}
}

func TestSessionWithLongFrames(t *testing.T) {
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Generations[3] = 2 })
	s := m.session(testChain(t, 4))
	for i := range byte(3) {
		if v := m.ask(s, readMessage("temperature")); v.Reason != ReasonDenied || v.Frame != 4 {
			t.Errorf("request %d with hold 10 s: %+v, want denied by frame 4", i, v)
		}
	}
	req := callMessage("valve", 3)
	p, err := s.Protect(req, 5*time.Second, m.now)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.Verify(p, m.do(req), m.now); err != nil || v.Reason != ReasonNone {
		t.Errorf("with hold 5 s: %+v, %v", v, err)
	}
}

// A verifier that keeps less than this one asks for the frames, and gets them.
func TestSessionSendsFramesWhenAsked(t *testing.T) {
	m := newMeeting(t, nil)
	s := m.session(Owner(testService(), testKey(), 1))
	m.ask(s, callMessage("valve", 1))
	req := callMessage("valve", 2)
	p, err := s.Protect(req, 0, m.now)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.Verify(p, Refusal(ReasonNeedFrames), m.now); err != nil || v.Tagged || v.Reason != ReasonNeedFrames {
		t.Fatalf("%+v, %v", v, err)
	}
	if _, err := s.Protect(req, 0, m.now); err != nil {
		t.Fatal(err)
	}
	if v, _ := req.Get(coap.OptionRequest); v[0] != formSessionFrames {
		t.Errorf("form %02x, want SESSION-FRAMES", v[0])
	}
	if _, resp := m.g.Check(req, m.verifierNow()); resp != nil {
		t.Errorf("SESSION-FRAMES is refused: %x", resp.Payload)
	}
}

func TestSessionOpensOnce(t *testing.T) {
	m := newMeeting(t, nil)
	s := m.session(Owner(testService(), testKey(), 1))
	if _, err := s.Protect(callMessage("valve", 1), 0, m.now); err != nil {
		t.Fatal(err)
	}
	req := callMessage("valve", 1)
	if _, err := s.Protect(req, 0, m.now); !errors.Is(err, errNotOpen) {
		t.Errorf("a second request before the first answer: %v, want errNotOpen", err)
	}
	if _, ok := req.Get(coap.OptionRequest); ok {
		t.Error("a request that was not protected has option 65001")
	}
}

func TestSessionUsesEachSequenceOnce(t *testing.T) {
	m := newMeeting(t, nil)
	s := m.session(Owner(testService(), testKey(), 1))
	m.ask(s, callMessage("valve", 1))
	s.next = 0xfffffffe
	for _, want := range []uint32{0xfffffffe, 0xffffffff} {
		p, err := s.Protect(callMessage("valve", 1), 0, m.now)
		if err != nil || p.Sequence() != want {
			t.Fatalf("sequence %x, %v, want %x", p.Sequence(), err, want)
		}
	}
	if _, err := s.Protect(callMessage("valve", 1), 0, m.now); !errors.Is(err, ErrExhausted) {
		t.Errorf("beyond the last sequence: %v, want ErrExhausted", err)
	}
}

// What was encrypted and then could not be sent has used up its sequence: nothing is encrypted twice under one.
func TestSequenceOfWhatFailed(t *testing.T) {
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.EnablePrivacy = true })
	s := m.session(Owner(testService(), testKey(), 1))
	m.ask(s, callMessage("valve", 1))
	s.EnablePrivacy()
	if _, err := s.Protect(callMessage("valve", make([]byte, 1<<16)...), 0, m.now); err == nil {
		t.Fatal("a payload beyond 65,535 bytes is protected")
	}
	if p, err := s.Protect(callMessage("valve", 1), 0, m.now); err != nil || p.Sequence() != 3 {
		t.Errorf("after the failure: sequence %d, %v, want 3", p.Sequence(), err)
	}
}

func TestOpenRefusesCookie(t *testing.T) {
	h, err := wide(t, 1).NewHello(newRandom(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 15, 17} {
		if _, err := h.Open(make([]byte, n), time.Now()); err == nil {
			t.Errorf("a cookie of %d bytes is taken", n)
		}
	}
	if _, err := wide(t, 1).NewHello(bytes.NewReader(nil)); err == nil {
		t.Error("a hello without entropy")
	}
}

// An answer counts only for the request that it was given to, and only as it was given.
func TestVerifyRefuses(t *testing.T) {
	m := newMeeting(t, nil)
	s := m.session(Owner(testService(), testKey(), 1))
	m.ask(s, callMessage("valve", 1))
	first, second := callMessage("valve", 2), callMessage("valve", 3)
	p1, err1 := s.Protect(first, 0, m.now)
	p2, err2 := s.Protect(second, 0, m.now)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	r1, r2 := m.do(first), m.do(second)
	if _, err := s.Verify(p1, r2, m.now); !errors.Is(err, errBadTag) {
		t.Errorf("the answer to another request: %v, want errBadTag", err)
	}
	bare := r1.Clone()
	bare.Remove(coap.OptionResponse)
	if _, err := s.Verify(p1, bare, m.now); !errors.Is(err, ErrUntagged) {
		t.Errorf("success without proof: %v, want ErrUntagged", err)
	}
	gateway := &coap.Message{Code: coap.CodeGatewayTimeout, Payload: []byte("no route")}
	if v, err := s.Verify(p1, gateway, m.now); err != nil || v != (Verdict{}) {
		t.Errorf("a gateway's error: %+v, %v", v, err)
	}
	if _, err := s.Verify(p1, r1, m.now); err != nil {
		t.Errorf("the right answer: %v", err)
	}
	if _, err := s.Verify(p2, r2, m.now); err != nil {
		t.Errorf("the right answer: %v", err)
	}
	mirror := newMeeting(t, func(cfg *GuardConfig) { cfg.Mirror = true })
	ms := mirror.session(branchCapability(t, BranchMirror, 0, 1))
	if v := mirror.ask(ms, readMessage("temperature")); !v.Tagged || v.Reason != ReasonNone {
		t.Errorf("at the mirror: %+v", v)
	}
}

func TestTickClock(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	const hold = DefaultHold
	c := newTickClock(1000, start)
	for _, step := range []struct {
		after time.Duration
		want  uint32
	}{{0, 1000}, {4 * time.Second, 1000}, {8 * time.Second, 1070}, {100 * time.Second, 1875}} {
		if got := c.estimate(start.Add(step.after), hold); got != step.want {
			t.Errorf("estimate after %v = %d, want %d", step.after, got, step.want)
		}
	}
	// A verifier at half the speed: once that has been seen the estimate stays behind it.
	slow := func(at time.Duration) uint32 { return 1000 + uint32(at/TickDuration/2) }
	c.learn(slow(20*time.Second), start.Add(20*time.Second))
	for at := 20 * time.Second; at < 20*time.Minute; at += 777 * time.Millisecond {
		if got := c.estimate(start.Add(at), hold); got > slow(at) {
			t.Fatalf("after %v the estimate is %d, ahead of the verifier's %d", at, got, slow(at))
		}
	}
	c.learn(900, start.Add(21*time.Second))
	if got := c.estimate(start.Add(20*time.Second), hold); got != slow(20*time.Second) {
		t.Errorf("an older tick moved the estimate to %d", got)
	}
	c = newTickClock(0xfffffff0, start)
	if got := c.estimate(start.Add(time.Hour), hold); got != 0xffffffff {
		t.Errorf("at the end of ticks: %x", got)
	}
	if got := c.estimate(start.Add(-time.Hour), hold); got != 0xfffffff0 {
		t.Errorf("with a clock that went back: %x", got)
	}
}
