package capability

import (
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

// opening returns the OPEN of a new session.
func (m *meeting) opening(c *Capability) *coap.Message {
	m.t.Helper()
	s := m.session(c)
	req := callMessage("valve", 1)
	if _, err := s.Protect(req, 0, m.now); err != nil {
		m.t.Fatal(err)
	}
	return req
}

// want checks what the guard says to a request; a kept answer that a duplicate gets again is told as ReasonResultGone.
func (m *meeting) want(what string, req *coap.Message, now Now, want Reason) {
	m.t.Helper()
	r := ReasonNone
	if a, resp := m.g.Check(req, now); a != nil {
		a.Answer(&coap.Message{Code: coap.CodeChanged}, now)
	} else if r = ReasonResultGone; !resp.Success() {
		r = Reason(resp.Payload[0])
	}
	if r != want {
		m.t.Fatalf("%s: reason %d, want %d", what, r, want)
	}
}

// Of a verifier that was told so, as many callers as that may open sessions within 10 s.
func TestRingOfManyOpens(t *testing.T) {
	const opens = 40
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Opens, cfg.Slots = opens, opens/2+2 })
	var reqs []*coap.Message
	for i := range byte(opens) {
		if i == opens/2 {
			m.now = m.now.Add((minResidency + 1) * TickDuration) // the second half takes the slots of the first
		}
		req := m.opening(branchCapability(t, 1, 0, i))
		m.want(name("open %d", i), req, m.verifierNow(), ReasonNone)
		reqs = append(reqs, req)
	}
	m.now = m.now.Add((minResidency + 1) * TickDuration)
	more := branchCapability(t, 1, 0, opens)
	m.want("one more", m.opening(more), m.verifierNow(), ReasonNoRoom)
	for i, req := range reqs {
		want := ReasonCookieUsed
		if i >= opens/2-1 { // the sessions of the second half, and one of the first, are there
			want = ReasonResultGone
		}
		m.want(name("open %d again", i), req, m.verifierNow(), want)
	}
	for i := range byte(ringOwner) {
		m.want(name("the owner's %d", i), m.opening(branchCapability(t, 0, 0, i)), m.verifierNow(), ReasonNone)
	}
	m.want("the owner's one more", m.opening(branchCapability(t, 0, 0, ringOwner)), m.verifierNow(), ReasonNoRoom)
	m.now = m.start.Add((maxCookieAge + 1) * TickDuration)
	m.want("the first again, its cookie outdated", reqs[0], m.verifierNow(), ReasonCookie)
	m.want("one more, where the first half is outdated", m.opening(more), m.verifierNow(), ReasonNone)
}
