package capability

import "testing"

// openFrom makes the OPEN of a new session of branch 1, or of the owner, and gives what the guard says to it.
func (m *meeting) openFrom(branch, nonce byte) (req *Message, r Reason) {
	m.t.Helper()
	s := m.session(branchCapability(m.t, branch, 0, nonce))
	req = callMessage("valve", nonce)
	if _, err := s.Protect(req, 0, m.now); err != nil {
		m.t.Fatal(err)
	}
	return req, m.judged(req, m.verifierNow())
}

func (m *meeting) judged(req *Message, now Now) Reason {
	a, resp := m.g.Check(req, now)
	if a != nil {
		a.Answer(&Message{Code: CodeChanged}, now)
		return ReasonNone
	}
	if resp.Success() {
		return ReasonResultGone // a kept answer again: the request did not run
	}
	return Reason(resp.Payload[0])
}

// Of a verifier that was told so, as many callers as that may open sessions within 10 s.
func TestRingOfManyOpens(t *testing.T) {
	const opens = 40
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Opens, cfg.Slots = opens, opens/2+2 })
	var reqs []*Message
	want := func(what string, r, want Reason) {
		t.Helper()
		if r != want {
			t.Fatalf("%s: reason %d, want %d", what, r, want)
		}
	}
	for i := range byte(opens) {
		if i == opens/2 {
			m.now = m.now.Add((minResidency + 1) * TickDuration) // the second half takes the slots of the first
		}
		req, r := m.openFrom(1, i)
		want(name("open %d", i), r, ReasonNone)
		reqs = append(reqs, req)
	}
	m.now = m.now.Add((minResidency + 1) * TickDuration)
	_, r := m.openFrom(1, opens)
	want("one more", r, ReasonNoRoom)
	for i, req := range reqs {
		r := m.judged(req, m.verifierNow())
		if i < opens/2-1 { // one of the first half has kept its slot
			want(name("open %d again, its session evicted", i), r, ReasonCookieUsed)
		} else {
			want(name("open %d again", i), r, ReasonResultGone)
		}
	}
	for i := range byte(ringOwner) {
		_, r := m.openFrom(0, i)
		want(name("the owner's %d", i), r, ReasonNone)
	}
	_, r = m.openFrom(0, ringOwner)
	want("the owner's one more", r, ReasonNoRoom)
	m.now = m.start.Add((maxCookieAge + 1) * TickDuration)
	want("the first again, its cookie outdated", m.judged(reqs[0], m.verifierNow()), ReasonCookie)
	_, r = m.openFrom(1, opens)
	want("one more, where the first half is outdated", r, ReasonNone)
}
