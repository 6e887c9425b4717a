package capability

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// DefaultHold is how long after its tick a request may still act, unless the caller says otherwise.
const DefaultHold = 10 * time.Second

// keptCarried is the longest carried form that a slot keeps; of a longer one it keeps a digest.
const keptCarried = headerSize + 40

var (
	// ErrUntagged reports that an answer of success came without proof: somebody on the way made it
	// up.
	ErrUntagged = errors.New("answer without proof that the service gave it")
	// errBadTag reports that an answer came with a proof that is wrong.
	errBadTag = errors.New("answer with a wrong proof")
	// errNotOpen reports that the answer to the first request of a session is still out: others
	// must wait for it.
	errNotOpen = errors.New("session is not open yet")
	// ErrExhausted reports that a session has used up its sequence numbers.
	ErrExhausted = errors.New("session has no sequence numbers left")
)

// Session is the caller's side of a session with a verifier. The first request that it protects opens it; until
// the answer to that is verified no other can be made. Then it is safe for concurrent use.
type Session struct {
	mirror  uint8 // mirrorBit or 0
	private uint8 // privateBit or 0
	nonce   [nonceSize]byte
	cookie  [cookieSize]byte
	carried []byte
	boot    uint32

	mu         sync.Mutex // guards what follows
	tagger     *tagger
	clock      tickClock
	next       uint32 // sequence; 0: used up
	slot       uint8
	opening    bool // OPEN was made
	opened     bool // and its answer verified
	sendFrames bool // SESSION-FRAMES instead of SESSION
}

// Pending is what a caller keeps of a request until its answer: it binds the two.
type Pending struct {
	sequence     uint32
	slot         uint8
	open         bool
	private      bool
	boot         uint32 // of an OPEN
	notification uint32 // highest seen
	tag          [openTagSize]byte
}

// Sequence returns the request's number in its session.
func (p *Pending) Sequence() uint32 { return p.sequence }

// Boot returns the verifier's boot counter, with which its cookie begins; false if the request did not open the session.
func (p *Pending) Boot() (uint32, bool) { return p.boot, p.open }

// Protect adds option 65001 to m, in place of one that is there. The hold is rounded down, below a minute to
// 100 ms and to at most 19.9 s, above to minutes and to at most MaxHold; 0 means DefaultHold. To send a request again is to send the same bytes again; to protect it again makes
// another request, which may run again. Of POST /e the payload is epoch u16 | r (32); Protect puts r under its pad, so protect a
// clone to be able to make it anew.
func (s *Session) Protect(m *coap.Message, hold time.Duration, now time.Time) (*Pending, error) {
	units := EncodeHold(hold)
	lent := macs.Get().(*mac)
	defer macs.Put(lent)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next == 0 {
		return nil, ErrExhausted
	}
	p := &Pending{sequence: s.next, slot: s.slot, private: s.private != 0}
	tick := s.clock.estimate(now, HoldDuration(units))
	var value []byte
	switch {
	case s.opened:
		var carried []byte
		if s.sendFrames {
			carried = s.carried
		}
		value = make([]byte, 0, sessionFramesFixed+len(carried))
		value = appendSession(value, s.mirror|s.private, s.slot, p.sequence, uint16(tick), units, carried)
	case s.opening:
		return nil, errNotOpen
	default:
		p.open, p.slot, p.boot = true, slotOpening, binary.BigEndian.Uint32(s.cookie[:])
		tick = s.clock.zero
		value = appendOpen(nil, s.mirror|s.private, s.nonce, s.cookie, p.sequence, units, s.carried)
	}
	s.next++ // 0 after the last; also where this fails below: nothing is encrypted twice under one sequence
	padEpoch(m, s.tagger.ks, p.sequence)
	if p.private {
		if err := s.hide(m, p.sequence); err != nil {
			return nil, err
		}
	}
	m.Set(coap.OptionRequest, value)
	sum, err := s.tagger.request(lent, p.slot, p.sequence, tick, units, m)
	if err != nil {
		m.Remove(coap.OptionRequest)
		return nil, err
	}
	cut := requestTagSize(value)
	copy(value[len(value)-cut:], sum[:])
	copy(p.tag[:cut], sum[:])
	s.opening = true
	return p, nil
}

func (p *Pending) requestTag() []byte {
	if p.open {
		return p.tag[:]
	}
	return p.tag[:tagSize]
}

// Verdict is what an answer turned out to be.
type Verdict struct {
	Tagged       bool   // the service itself gave it; else somebody on the way may have
	Reason       Reason // ReasonNone: success
	Frame        int    // which frame denied, from 1; 0: none did
	Constraint   ConstraintType
	Tick         uint32 // of the verifier, if tagged
	Notification uint32 // 0: the direct answer
}

// Verify judges the answer to p, or a notification. That of a private request becomes in resp what it holds. An error means that it must not be believed: the service may
// have acted or not. An untagged answer of an error code is no error here, but ends nothing by itself.
func (s *Session) Verify(p *Pending, resp *coap.Message, now time.Time) (Verdict, error) {
	value, ok := resp.Get(coap.OptionResponse)
	if !ok {
		if resp.Success() {
			return Verdict{}, ErrUntagged
		}
		return s.untagged(resp), nil
	}
	a, ok := parseAnswerProof(value, s.mirror != 0)
	if !ok {
		return Verdict{}, errBadTag
	}
	lent := macs.Get().(*mac)
	defer macs.Put(lent)
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.form != formNotification && (a.form == formOpen) != p.open {
		return Verdict{}, errBadTag
	}
	if a.form == formNotification && a.notification <= p.notification {
		return Verdict{}, errBadTag
	}
	sum, err := s.tagger.response(lent, a.slot, p.sequence, a.notification, a.tick, p.requestTag(), resp)
	if err != nil || !hmac.Equal(sum[:len(a.tag)], a.tag) {
		return Verdict{}, errBadTag
	}
	if p.private && (a.form == formNotification || !s.reveal(p, resp)) {
		return Verdict{}, errBadTag
	}
	p.notification = max(p.notification, a.notification)
	if p.open {
		s.slot, s.opened = a.slot, true
	}
	s.clock.learn(a.tick, now)
	v := Verdict{Tagged: true, Tick: a.tick, Notification: a.notification}
	if !resp.Success() {
		v.Reason, v.Frame, v.Constraint = readError(resp.Payload)
	}
	return v, nil
}

func (s *Session) untagged(resp *coap.Message) Verdict {
	var v Verdict
	v.Reason, v.Frame, v.Constraint = readError(resp.Payload)
	if v.Reason == ReasonNeedFrames || v.Reason == ReasonDenyListed { // if it is a lie it costs bytes
		s.mu.Lock()
		s.sendFrames = true
		s.mu.Unlock()
	}
	return v
}

// Boot returns the verifier's boot counter, as its cookie had it.
func (s *Session) Boot() uint32 { return s.boot }

// Opened reports whether the answer to the first request has been verified.
func (s *Session) Opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}
