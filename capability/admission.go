package capability

import (
	"crypto/hmac"
	"slices"

	"github.com/edgeistry/edgeistry/coap"
)

// Admission is a request that may act. It is answered once, with Answer or Refuse.
type Admission struct {
	Target
	Request  *coap.Message // what to act on: the message that was checked, or what it held encrypted
	Branch   uint8         // of the first capability that proves it
	Nonce    [4]byte       // of that capability
	Sequence uint32
	Slot     uint8
	Opened   bool  // this request opened the session
	Hold     uint8 // as HoldDuration reads it
	Private  bool  // request and answer are encrypted

	guard        *Guard
	session      uint64
	tagger       *tagger
	tag          [openTagSize]byte
	keeps        bool // a POST: the answer is kept for duplicates
	answered     bool
	situation    Situation
	parts        []part // of an observation: judged again before each notification
	notified     uint32
	fingerprints [][16]byte
}

// begin fills in what is known once the tag has verified.
func (g *Guard) begin(a *Admission, ask *asked, s *slot, number uint8) {
	p := ask.proof
	a.Branch, a.Nonce, a.Sequence, a.Slot = s.branch, s.nonce, p.sequence, number
	a.Opened, a.Hold, a.Private = p.form == formOpen, p.hold, p.private
	a.guard, a.session, a.tagger = g, s.id, s.tagger
	copy(a.tag[:], p.tag)
}

// admit follows "A request in a session" from the operation on. The guard is locked.
func (g *Guard) admit(a *Admission, ask *asked, s *slot, tick uint32) *coap.Message {
	p, now, query := ask.proof, ask.now, ask.query
	if !p.private {
		a.keeps = a.Request.Code == coap.CodePOST
	} else {
		inner, r := a.decrypt(a.Request)
		if r == ReasonNone {
			query, r = g.query(inner)
		}
		if r != ReasonNone {
			return a.answer(Refusal(r), now.Tick)
		}
		a.Request = inner
	}
	if r := a.Target.read(a.Request, s.name); r != ReasonNone {
		return a.answer(Refusal(r), now.Tick)
	}
	s.name = a.Name
	a.Query = query
	if a.Operation&actingOperations != 0 && now.Tick-tick > holdTicks(p.hold) {
		return a.answer(Refusal(ReasonStale), now.Tick)
	}
	parts := s.parts
	if p.carried != nil {
		parts = p.parts
	}
	is := &a.situation
	is.Target, is.Payload, is.Hold, is.Boot, is.Now = a.Target, a.Request.Payload, p.hold, g.cfg.Boot, now
	is.Peer, is.Program, is.meters = ask.peer, g.cfg.Program, &s.meters
	if d := a.judge(parts); d.Reason != ReasonNone {
		return a.answer(d.message(), now.Tick)
	}
	if !s.meters.take() {
		return a.answer(Refusal(ReasonStorage), now.Tick)
	}
	if a.Operation == Observe {
		a.parts = s.parts
		if p.carried != nil {
			_, a.parts = ownParts(p.carried)
		}
	}
	return nil
}

// judge asks the branches, then the frames.
func (a *Admission) judge(parts []part) Denial {
	op := a.situation.Operation
	for i := range parts {
		branch := parts[i].header.Branch
		if branch == BranchMirror && op&(Read|Observe) == 0 || op == Manage && branch != BranchOwner {
			return Denial{Reason: ReasonDenied}
		}
	}
	setsBack := op == Time && len(a.situation.Payload) == timeBackSize
	if (setsBack || op == Manage && a.Management == ManageEpoch) && !ownersOwn(parts) {
		return Denial{Reason: ReasonDenied}
	}
	return a.situation.judge(parts)
}

// duplicate answers a request whose sequence came before: again if it is the very same and its answer is kept.
func (g *Guard) duplicate(a *Admission, s *slot) *coap.Message {
	if !hmac.Equal(s.last[:], a.tag[:tagSize]) {
		return Refusal(ReasonSequence)
	}
	a.Private = false // what is kept is encrypted, and reason 9 never is
	if !s.answer.kept {
		return a.answer(Refusal(ReasonResultGone), s.used)
	}
	resp := &coap.Message{Code: s.answer.code, Payload: slices.Clone(s.answer.payload[:s.answer.size])}
	return a.answer(resp, s.answer.tick)
}

// Answer adds option 65000 to resp, in place of one that is there, keeps what a duplicate may want, and returns resp.
func (a *Admission) Answer(resp *coap.Message, now Now) *coap.Message {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	return a.answer(resp, now.Tick)
}

// Refuse answers with the error of a reason, tagged.
func (a *Admission) Refuse(r Reason, now Now) *coap.Message { return a.Answer(Refusal(r), now) }

func (a *Admission) answer(resp *coap.Message, tick uint32) *coap.Message {
	form := uint8(formSession)
	if a.Opened {
		form = formOpen
	}
	if a.Private && a.answered { // nothing is encrypted twice under one nonce
		a.Private, a.keeps = false, false
		resp = Refusal(ReasonResultGone)
	}
	a.answered = true
	resp.Remove(coap.OptionResponse)
	keeps := a.keeps && len(resp.Payload) <= maxKeptAnswer && len(resp.Options) == 0
	if a.Private {
		resp = a.encrypt(resp)
	}
	if !a.sign(resp, form, tick, 0) {
		resp, keeps = Refusal(ReasonTooLarge), false // the only way to fail: a payload or option of more than 65,535 bytes
		if a.Private {
			resp = Refusal(ReasonResultGone) // bare
		}
		a.sign(resp, form, tick, 0)
	}
	s := &a.guard.slots[a.Slot]
	if keeps && s.id == a.session && hmac.Equal(s.last[:], a.tag[:tagSize]) {
		s.answer = keptAnswer{kept: true, code: resp.Code, tick: tick, size: uint8(len(resp.Payload))}
		copy(s.answer.payload[:], resp.Payload)
	}
	return resp
}

func (a *Admission) sign(resp *coap.Message, form uint8, tick, notification uint32) bool {
	value := appendAnswerProof(make([]byte, 0, 32), form, mirrorFlag(a.guard.cfg.Mirror), a.Slot, tick, notification)
	resp.Set(coap.OptionResponse, value)
	requestTag := a.tag[:tagSize]
	if a.Opened {
		requestTag = a.tag[:]
	}
	sum, err := a.tagger.response(a.guard.mac, a.Slot, a.Sequence, notification, tick, requestTag, resp)
	if err != nil {
		return false
	}
	cut := responseTagSize(value)
	copy(value[len(value)-cut:], sum[:])
	return true
}

// Live reports whether the request's session is still open: a change of generation or epoch ends
// it, and so it does what was admitted before.
func (a *Admission) Live() bool {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	return a.guard.slots[a.Slot].id == a.session
}

// Notify returns the next notification of an observation out of resp: it adds option 65000 and returns its number, from
// 1. False: the session has ended or the frames admit it no longer, so the observation is over.
func (a *Admission) Notify(resp *coap.Message, now Now) (number uint32, ok bool) {
	a.guard.mu.Lock()
	defer a.guard.mu.Unlock()
	s := &a.guard.slots[a.Slot]
	if a.Operation != Observe || s.id != a.session || a.notified == ^uint32(0) {
		return 0, false
	}
	a.situation.Now, a.situation.meters = now, &meters{passing: true}
	if a.judge(a.parts).Reason != ReasonNone || slices.ContainsFunc(s.fingerprints, a.guard.cfg.Denied) {
		return 0, false
	}
	a.notified++
	return a.notified, a.sign(resp, formNotification, now.Tick, a.notified)
}
