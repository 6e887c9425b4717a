package capability

import (
	"crypto/hmac"
	"slices"
)

// Admission is a request that may act. It is answered once, with Answer or Refuse.
type Admission struct {
	Target
	Branch   uint8
	Nonce    [4]byte // of the capability
	Sequence uint32
	Slot     uint8
	Opened   bool  // this request opened the session
	Hold     uint8 // in 100 ms

	guard     *Guard
	session   uint64
	tagger    *tagger
	tag       [openTagSize]byte
	keeps     bool // a POST: the answer is kept for duplicates
	situation Situation
	carried   []byte // of an observation: judged again before each notification
	notified  uint32
}

// admit follows "A request in a session" from the operation on. The guard is locked.
func (g *Guard) admit(req *Message, p *proof, q Query, s *slot, number uint8, tick uint32, now Now) (*Admission, *Message) {
	a := g.admission(req, p, s, number)
	target, r := req.target()
	if r != ReasonNone {
		return nil, a.answer(Refusal(r), now.Tick)
	}
	target.Query = q
	a.Target = target
	if target.Operation&actingOperations != 0 && now.Tick-tick > uint32(p.hold) {
		return nil, a.answer(Refusal(ReasonStale), now.Tick)
	}
	a.situation = Situation{Target: target, Payload: req.Payload, Hold: p.hold, Boot: g.cfg.Boot, Now: now}
	carried := p.carried
	if carried == nil {
		carried = s.carried
	}
	if d := a.judge(carried); d.Reason != ReasonNone {
		return nil, a.answer(d.message(), now.Tick)
	}
	if target.Operation == Observe {
		a.carried = slices.Clone(carried)
	}
	return a, nil
}

func (g *Guard) admission(req *Message, p *proof, s *slot, number uint8) *Admission {
	a := &Admission{
		Branch: s.branch, Nonce: s.nonce, Sequence: p.sequence, Slot: number, Opened: p.form == formOpen, Hold: p.hold,
		guard: g, session: s.id, tagger: s.tagger, keeps: req.Code == CodePOST,
	}
	copy(a.tag[:], p.tag)
	return a
}

// judge asks the branch, then the frames.
func (a *Admission) judge(carried []byte) Denial {
	op := a.situation.Operation
	if a.Branch == BranchMirror && op&(Read|Observe) == 0 || op == Manage && a.Branch != BranchOwner {
		return Denial{Reason: ReasonDenied}
	}
	var frames [MaxFrames]Frame
	_, n, err := decodeCarried(carried, &frames)
	if err != nil {
		return Denial{Reason: ReasonDenied} // cannot happen: it was decoded when the session opened
	}
	return Evaluate(frames[:n], &a.situation)
}

// duplicate answers a request whose sequence came before: again if it is the very same and its answer is kept.
func (g *Guard) duplicate(req *Message, p *proof, s *slot, number uint8, now Now) *Message {
	if !hmac.Equal(s.last[:], p.tag[:tagSize]) {
		return Refusal(ReasonSequence)
	}
	a := g.admission(req, p, s, number)
	a.keeps = false
	if !s.answer.kept {
		return a.answer(Refusal(ReasonResultGone), now.Tick)
	}
	resp := &Message{Code: s.answer.code, Payload: slices.Clone(s.answer.payload[:s.answer.size])}
	return a.answer(resp, s.answer.tick)
}

// Answer adds option 65000 to resp, in place of one that is there, keeps what a duplicate may want, and returns resp.
func (a *Admission) Answer(resp *Message, now Now) *Message {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	return a.answer(resp, now.Tick)
}

// Refuse answers with the error of a reason, tagged.
func (a *Admission) Refuse(r Reason, now Now) *Message { return a.Answer(Refusal(r), now) }

func (a *Admission) answer(resp *Message, tick uint32) *Message {
	form := uint8(formSession)
	if a.Opened {
		form = formOpen
	}
	if !a.sign(resp, form, tick, 0) {
		resp = Refusal(ReasonTooLarge) // the only way to fail: a payload or option of more than 65,535 bytes
		a.sign(resp, form, tick, 0)
	}
	s := &a.guard.slots[a.Slot]
	if a.keeps && s.id == a.session && hmac.Equal(s.last[:], a.tag[:tagSize]) &&
		len(resp.Payload) <= maxKeptAnswer && len(resp.Options) == 1 {
		s.answer = keptAnswer{kept: true, code: resp.Code, tick: tick, size: uint8(len(resp.Payload))}
		copy(s.answer.payload[:], resp.Payload)
	}
	return resp
}

func (a *Admission) sign(resp *Message, form uint8, tick, notification uint32) bool {
	value := appendAnswerProof(make([]byte, 0, 32), form, mirrorFlag(a.guard.cfg.Mirror), a.Slot, tick, notification)
	resp.Set(OptionResponse, value)
	requestTag := a.tag[:tagSize]
	if a.Opened {
		requestTag = a.tag[:]
	}
	sum, err := a.tagger.response(a.Slot, a.Sequence, notification, tick, requestTag, resp)
	if err != nil {
		return false
	}
	cut := responseTagSize(value)
	copy(value[len(value)-cut:], sum)
	return true
}

// Notify makes the next notification of an observation out of resp: it adds option 65000 and returns its number, from
// 1. False: the session has ended or the frames admit it no longer, so the observation is over.
func (a *Admission) Notify(resp *Message, now Now) (number uint32, ok bool) {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	s := &a.guard.slots[a.Slot]
	if a.Operation != Observe || s.id != a.session || a.notified == ^uint32(0) {
		return 0, false
	}
	a.situation.Now = now
	if a.judge(a.carried).Reason != ReasonNone {
		return 0, false
	}
	a.notified++
	return a.notified, a.sign(resp, formNotification, now.Tick, a.notified)
}
