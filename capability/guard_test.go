package capability

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

func TestNewGuardRefuses(t *testing.T) {
	good := GuardConfig{CookieKey: [32]byte{1}, BranchKey: testKey().BranchKeys(1)}
	if _, err := NewGuard(good); err != nil {
		t.Fatal(err)
	}
	for id, change := range map[string]func(*GuardConfig){
		"no branch keys":  func(c *GuardConfig) { c.BranchKey = nil },
		"no cookie key":   func(c *GuardConfig) { c.CookieKey = [32]byte{} },
		"256 slots":       func(c *GuardConfig) { c.Slots = 256 },
		"-1 slots":        func(c *GuardConfig) { c.Slots = -1 },
		"-1 opens":        func(c *GuardConfig) { c.Opens = -1 },
		"4,097 opens":     func(c *GuardConfig) { c.Opens = 4097 },
		"256 buckets":     func(c *GuardConfig) { c.Buckets = 256 },
		"12 bytes":        func(c *GuardConfig) { c.MaxCarried = 12 },
		"too many bytes":  func(c *GuardConfig) { c.MaxCarried = maxCarried + 1 },
		"negative length": func(c *GuardConfig) { c.MaxCarried = -1 },
	} {
		cfg := good
		change(&cfg)
		if _, err := NewGuard(cfg); err == nil {
			t.Errorf("%s: taken", id)
		}
	}
}

// Whatever is replayed, in whatever order and however often, runs once.
func TestReplaysRunOnce(t *testing.T) {
	r := newRandom(5)
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Slots = 8 })
	type recorded struct {
		message *coap.Message
		ran     int
	}
	var record []*recorded
	send := func(rec *recorded) {
		if a, _ := m.g.Check(rec.message, m.verifierNow()); a != nil {
			if rec.ran++; rec.ran > 1 {
				value, _ := rec.message.Get(coap.OptionRequest)
				t.Fatalf("ran twice: %x", value)
			}
			if r.IntN(4) > 0 {
				a.Answer(application(a, rec.message), m.verifierNow())
			}
		}
	}
	var sessions []*Session
	ran := 0
	for i := range 30_000 {
		m.now = m.now.Add(time.Duration(r.IntN(40)) * time.Millisecond)
		switch {
		case len(sessions) == 0 || i%500 == 0:
			s := m.session(branchCapability(t, byte(r.IntN(2)), 0, byte(r.IntN(6))))
			req := callMessage("valve", byte(i))
			p, err := s.Protect(req, 0, m.now)
			if err != nil {
				t.Fatal(err)
			}
			rec := &recorded{message: req.Clone()}
			record = append(record, rec)
			if v, err := s.Verify(p, m.do(req), m.now); err == nil && v.Tagged {
				rec.ran++
				sessions = append(sessions, s)
			}
		case r.IntN(10) == 0:
			req := callMessage("valve", byte(i))
			if r.IntN(3) == 0 {
				req = readMessage("temperature")
			}
			if _, err := sessions[r.IntN(len(sessions))].Protect(req, 0, m.now); err != nil {
				t.Fatal(err)
			}
			record = append(record, &recorded{message: req})
		default:
			near := max(0, len(record)-60)
			if r.IntN(10) == 0 {
				near = 0
			}
			send(record[near+r.IntN(len(record)-near)])
		}
	}
	for _, rec := range record {
		ran += rec.ran
	}
	if ran < 1000 {
		t.Errorf("%d of %d requests ran: too few to show anything", ran, len(record))
	}
}

// Two guards that get the same bytes at the same ticks say the same, junk and near misses included.
func TestGuardIsDeterministic(t *testing.T) {
	play := func() []byte {
		r := newRandom(6)
		m := newMeeting(t, nil)
		s := m.session(Owner(testService(), testKey(), 1))
		m.ask(s, callMessage("valve", 1))
		var log []byte
		for range 5000 {
			req := callMessage("valve", byte(r.Uint32()))
			if _, err := s.Protect(req, 0, m.now); err != nil {
				t.Fatal(err)
			}
			if r.IntN(2) == 0 {
				value, _ := req.Get(coap.OptionRequest)
				value[r.IntN(len(value))] ^= 1 << r.IntN(8)
			}
			m.now = m.now.Add(time.Duration(r.IntN(300)) * time.Millisecond)
			log = append(log, coapBytes(m.do(req), 2, 0, nil)...)
		}
		return log
	}
	if !bytes.Equal(play(), play()) {
		t.Error("the same bytes at the same ticks gave other answers")
	}
}

func TestGuardIsSafeForConcurrentUse(t *testing.T) {
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Slots = 16 })
	now := m.verifierNow()
	var wait sync.WaitGroup
	for i := range byte(8) {
		s := m.session(branchCapability(t, 1, 0, i))
		m.ask(s, callMessage("valve", 1))
		for range 2 { // two goroutines share a session
			wait.Go(func() {
				for range 100 {
					req := callMessage("valve", i)
					p, err := s.Protect(req, 0, m.start)
					if err != nil {
						t.Error(err)
						return
					}
					a, resp := m.g.Check(req, now)
					if a != nil {
						resp = a.Answer(application(a, req), now)
					}
					// Two callers of one session may pass each other by more than the window: reason 8 then.
					if v, err := s.Verify(p, resp, m.start); err != nil || v.Reason != ReasonNone && v.Reason != ReasonSequence {
						t.Errorf("%+v, %v", v, err)
						return
					}
				}
			})
		}
	}
	wait.Wait()
}

// An answer that comes late, after a newer request, is no answer to a duplicate of the newer one.
func TestLateAnswerIsNotKept(t *testing.T) {
	m := newMeeting(t, nil)
	s := m.session(Owner(testService(), testKey(), 1))
	m.ask(s, callMessage("valve", 1))
	slow, quick := callMessage("valve", 2), callMessage("valve", 3)
	for _, req := range []*coap.Message{slow, quick} {
		if _, err := s.Protect(req, 0, m.now); err != nil {
			t.Fatal(err)
		}
	}
	now := m.verifierNow()
	first, _ := m.g.Check(slow, now)
	second, _ := m.g.Check(quick, now)
	if first == nil || second == nil {
		t.Fatal("not admitted")
	}
	if _, resp := m.g.Check(quick, now); !refusedWith(resp, ReasonResultGone) {
		t.Errorf("a duplicate while the request runs: %x, want reason 9", resp.Payload)
	}
	want := second.Answer(application(second, quick), now)
	first.Answer(application(first, slow), now)
	_, got := m.g.Check(quick, Now{Tick: now.Tick + 1})
	if got == nil || !bytes.Equal(coapBytes(got, 2, 0, nil), coapBytes(want, 2, 0, nil)) {
		t.Errorf("duplicate: %+v, want the kept answer bit for bit", got)
	}
	if _, resp := m.g.Check(slow, now); !refusedWith(resp, ReasonSequence) {
		t.Errorf("a duplicate of the older request: %x, want reason 8", resp.Payload)
	}
}

func refusedWith(m *coap.Message, r Reason) bool {
	return m != nil && len(m.Payload) > 0 && m.Payload[0] == byte(r)
}

func TestAnswerWithOptionsIsNotKept(t *testing.T) {
	m := newMeeting(t, nil)
	s := m.session(Owner(testService(), testKey(), 1))
	m.ask(s, callMessage("valve", 1))
	req := callMessage("valve", 2)
	p, err := s.Protect(req, 0, m.now)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := m.g.Check(req, m.verifierNow())
	resp := &coap.Message{Code: coap.CodeChanged, Payload: []byte("x")}
	resp.AddUint(coap.OptionContentFormat, coap.ContentFormatOctets)
	if _, err := s.Verify(p, a.Answer(resp, m.verifierNow()), m.now); err != nil {
		t.Fatal(err)
	}
	if _, resp := m.g.Check(req, m.verifierNow()); !refusedWith(resp, ReasonResultGone) {
		t.Errorf("duplicate: %+v, want reason 9", resp)
	}
}

func TestRefuseIsTagged(t *testing.T) {
	m := newMeeting(t, nil)
	s := m.session(Owner(testService(), testKey(), 1))
	for _, r := range []Reason{ReasonNotFound, ReasonNotKept, ReasonArgument, ReasonTime, ReasonStorage, ReasonTooLarge} {
		req := callMessage("valve", 1)
		p, err := s.Protect(req, 0, m.now)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := m.g.Check(req, m.verifierNow())
		resp := a.Refuse(r, m.verifierNow())
		if v, err := s.Verify(p, resp, m.now); err != nil || !v.Tagged || v.Reason != r || resp.Code != r.Code() {
			t.Errorf("%v: code %s, %+v, %v", r, coap.CodeText(resp.Code), v, err)
		}
	}
	req := callMessage("valve", 1)
	p, err := s.Protect(req, 0, m.now)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := m.g.Check(req, m.verifierNow())
	huge := &coap.Message{Code: coap.CodeContent, Payload: make([]byte, 0x10000)}
	if v, err := s.Verify(p, a.Answer(huge, m.verifierNow()), m.now); err != nil || !v.Tagged || v.Reason != ReasonTooLarge {
		t.Errorf("an answer of 64 KiB: %+v, %v, want a tagged reason 21", v, err)
	}
}

func TestNotifications(t *testing.T) {
	m := newMeeting(t, nil)
	lease := Lease{Boot: scriptBoot, Tick: meetingTick + 50}
	c, err := Owner(testService(), testKey(), 1).Attenuate(newRandom(1), FrameSpec{Limits: []Limit{{Type: TypeLease, Lease: lease}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, opening := range []bool{true, false} {
		s := m.session(c)
		if !opening {
			m.ask(s, callMessage("valve", 1))
		}
		req := withObserve(readMessage("temperature"), 0)
		p, err := s.Protect(req, 0, m.now)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := m.g.Check(req, m.verifierNow())
		if a == nil || a.Operation != Observe {
			t.Fatalf("admission %+v", a)
		}
		if _, err := s.Verify(p, a.Answer(&coap.Message{Code: coap.CodeContent}, m.verifierNow()), m.now); err != nil {
			t.Fatal(err)
		}
		var sent []*coap.Message
		for i := range uint32(3) {
			n := &coap.Message{Code: coap.CodeContent, Payload: []byte{byte(i)}}
			if number, ok := a.Notify(n, m.verifierNow()); !ok || number != i+1 {
				t.Fatalf("notification %d: number %d, %v", i, number, ok)
			}
			sent = append(sent, n)
		}
		for _, i := range []int{0, 2} {
			if v, err := s.Verify(p, sent[i], m.now); err != nil || !v.Tagged || v.Notification != uint32(i+1) {
				t.Errorf("notification %d: %+v, %v", i+1, v, err)
			}
		}
		if _, err := s.Verify(p, sent[1], m.now); err == nil {
			t.Error("an older notification is taken after a newer one")
		}
		if _, err := s.Verify(p, sent[2], m.now); err == nil {
			t.Error("a notification is taken twice")
		}
		if _, ok := a.Notify(&coap.Message{Code: coap.CodeContent}, Now{Tick: lease.Tick + 1}); ok {
			t.Error("notified after the lease")
		}
		if _, ok := a.Notify(&coap.Message{Code: coap.CodeContent}, m.verifierNow()); !ok {
			t.Error("not notified within the lease")
		}
		m.g.SetGeneration(0, 0)
		if _, ok := a.Notify(&coap.Message{Code: coap.CodeContent}, m.verifierNow()); ok {
			t.Error("notified after the session ended")
		}
	}
}

func TestWaitIsForNodes(t *testing.T) {
	for _, enable := range []bool{false, true} {
		m := newMeeting(t, func(cfg *GuardConfig) { cfg.EnableWait = enable })
		s := m.session(Owner(testService(), testKey(), 1))
		v := Verdict{}
		if v = m.ask(s, readMessage("temperature", "a=1.1", "w=5")); (v.Reason == ReasonNone) != enable {
			t.Errorf("EnableWait %v: %+v", enable, v)
		}
	}
}

// A request may have looked at the clock a tick before one that the guard saw first. That frees no cookie, evicts no new session, and fills no
// bucket.
func TestClockOfSlowRequest(t *testing.T) {
	for what, configure := range map[string]func(*GuardConfig){
		"cookies":  func(cfg *GuardConfig) { cfg.Opens = 1 },
		"sessions": func(cfg *GuardConfig) { cfg.Slots = 2 },
	} {
		t.Run(what, func(t *testing.T) {
			m := newMeeting(t, configure)
			slow, early := m.opening(branchCapability(t, 1, 0, 1)), m.verifierNow()
			m.now = m.now.Add(TickDuration)
			fast := m.opening(branchCapability(t, 1, 0, 2))
			m.want("the first", fast, m.verifierNow(), ReasonNone)
			m.want("one of a tick before", slow, early, ReasonNoRoom)
			m.want("the first again", fast, m.verifierNow(), ReasonResultGone)
		})
	}
	t.Run("rates", func(t *testing.T) {
		m := newMeeting(t, nil)
		c, err := wideOwner().Attenuate(newRandom(1), FrameSpec{Limits: []Limit{{Type: TypeRate, Rate: Rate{Burst: 1, Period: 3600}}}})
		if err != nil {
			t.Fatal(err)
		}
		s := m.session(c)
		m.ask(s, callMessage("valve", 1))
		m.now = m.now.Add(time.Hour)
		slow, early := readMessage("temperature"), m.verifierNow()
		if _, err := s.Protect(slow, 0, m.now); err != nil {
			t.Fatal(err)
		}
		m.now = m.now.Add(TickDuration)
		m.want("the first of this hour", m.opening(c), m.verifierNow(), ReasonNone)
		m.want("one of a tick before", slow, early, ReasonDenied)
	})
}
