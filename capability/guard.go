package capability

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability/program"
	"github.com/edgeistry/edgeistry/coap"
)

// GuardConfig is what a Guard verifies for. BranchKey and CookieKey must be set.
type GuardConfig struct {
	Hint        [4]byte
	Epoch       uint16
	Boot        uint32
	Generations [BranchMirror + 1]uint8
	CookieKey   [32]byte // EpochKey.CookieKey(Boot); at a mirror 32 random bytes of this start

	// BranchKey returns the keys that this verifier has: EpochKey.BranchKeys, or at a mirror the
	// key of branch 15 alone.
	BranchKey func(branch, generation uint8) (BranchKey, bool)

	Counters Counters            // cells for COUNT; nil: there are none, and COUNT denies
	Program  program.Runner      // runs PROGRAM; nil: PROGRAM denies
	Denied   func([16]byte) bool // the deny list: whether a fingerprint is on it; nil: there is none

	Slots         int    // sessions at a time, at most 255; 0: 4
	Opens         int    // sessions opened within 10 s, 2 of the owner's apart; at most 4,096; 0: 16
	Buckets       int    // for RATE, at most 255; 0: 4
	MaxCarried    int    // longest carried form taken; 0: maxCarried
	Mirror        bool   // this is the mirror verifier: bit 7 of every form is set
	EnableWait    bool   // the query w is allowed: nodes have it, devices do not
	EnablePrivacy bool   // private requests are taken
	Closed        Reason // ReasonUnclaimed or ReasonBootLost: everything protected is refused with it
}

// Guard is the verifying side: what a service asks before it acts. It has no clock: the same bytes at the same
// ticks give the same answers. It is the twin of the C core. Safe for concurrent use.
type Guard struct {
	cfg GuardConfig

	mu          sync.Mutex // guards what follows
	mac         *mac
	generations [BranchMirror + 1]uint8
	ring        usedRing
	slots       []slot
	buckets     buckets
	sessions    uint64 // opened so far
}

// NewGuard returns a verifier in which no session is open.
func NewGuard(cfg GuardConfig) (*Guard, error) {
	if cfg.BranchKey == nil || cfg.CookieKey == [32]byte{} {
		return nil, errors.New("guard: BranchKey and CookieKey must be set")
	}
	if cfg.Slots == 0 {
		cfg.Slots = defaultSlots
	}
	if cfg.MaxCarried == 0 {
		cfg.MaxCarried = maxCarried
	}
	if cfg.Opens == 0 {
		cfg.Opens = defaultOpens
	}
	if cfg.Opens < 1 || cfg.Opens > maxOpens {
		return nil, fmt.Errorf("guard: %d sessions opened within 10 s (1 to %d)", cfg.Opens, maxOpens)
	}
	if cfg.Buckets == 0 {
		cfg.Buckets = defaultBuckets
	}
	if cfg.Buckets < 1 || cfg.Buckets > maxBuckets {
		return nil, fmt.Errorf("guard: %d buckets (1 to %d)", cfg.Buckets, maxBuckets)
	}
	if cfg.Slots < 1 || cfg.Slots > maxSlots || cfg.MaxCarried < headerSize+1 || cfg.MaxCarried > maxCarried {
		return nil, fmt.Errorf("guard: %d slots (1 to %d), %d bytes carried (%d to %d)",
			cfg.Slots, maxSlots, cfg.MaxCarried, headerSize+1, maxCarried)
	}
	return &Guard{
		cfg: cfg, mac: newMAC(), generations: cfg.Generations, ring: newRing(cfg.Opens), slots: make([]slot, cfg.Slots),
		buckets: buckets{list: make([]bucket, cfg.Buckets)},
	}, nil
}

// Generation returns the generation of a branch (0..15).
func (g *Guard) Generation(branch uint8) uint8 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.generations[branch&BranchMirror]
}

// SetGeneration ends every session of the branch and every capability of its other generations.
func (g *Guard) SetGeneration(branch, generation uint8) {
	g.mu.Lock()
	defer g.mu.Unlock()
	branch &= BranchMirror
	g.generations[branch] = generation
	for i := range g.slots {
		if g.slots[i].all&(1<<branch) != 0 {
			g.slots[i] = slot{}
		}
	}
}

// Hello returns the cookie for a hello's payload. It keeps no state.
func (g *Guard) Hello(payload []byte, now Now) ([]byte, Reason) {
	if len(payload) != helloSize {
		return nil, ReasonMalformed
	}
	header := [headerSize]byte(payload[nonceSize:])
	if (header[0]&mirrorBit != 0) != g.cfg.Mirror {
		return nil, ReasonMalformed
	}
	header[0] &^= mirrorBit
	if _, err := decodeHeader(header); err != nil {
		return nil, ReasonMalformed
	}
	if g.cfg.Closed != ReasonNone {
		return nil, g.cfg.Closed
	}
	mac := cookieMAC(g.cfg.CookieKey, g.cfg.Boot, now.Tick, [nonceSize]byte(payload), header)
	cookie := make([]byte, 0, cookieSize)
	cookie = binary.BigEndian.AppendUint32(cookie, g.cfg.Boot)
	cookie = binary.BigEndian.AppendUint32(cookie, now.Tick)
	return append(cookie, mac[:]...), ReasonNone
}

// AnswerHello answers the whole request POST /h.
func (g *Guard) AnswerHello(req *coap.Message, now Now) *coap.Message {
	if r := checkHello(req); r != ReasonNone {
		return Refusal(r)
	}
	cookie, r := g.Hello(req.Payload, now)
	if r != ReasonNone {
		return Refusal(r)
	}
	return &coap.Message{Code: coap.CodeChanged, Payload: cookie}
}

// Check judges a request. Either it is admitted: the caller acts once, on Admission.Request, and answers through the Admission; or
// the message is what to send: a refusal, or the answer that a duplicate gets again.
func (g *Guard) Check(req *coap.Message, now Now) (*Admission, *coap.Message) {
	return g.CheckFrom(edgeistry.PeerKey{}, req, now)
}

// CheckFrom is Check for a verifier that knows which libp2p peer asks: only there AUDIENCE can hold.
func (g *Guard) CheckFrom(peer edgeistry.PeerKey, req *coap.Message, now Now) (*Admission, *coap.Message) {
	return g.admission(asked{peer: peer, now: now}, req)
}

// CheckForemost is CheckFrom past the deny list: for a verifier's own requests that end a capability, perhaps under that very one.
func (g *Guard) CheckForemost(peer edgeistry.PeerKey, req *coap.Message, now Now) (*Admission, *coap.Message) {
	return g.admission(asked{peer: peer, now: now, foremost: true}, req)
}

func (g *Guard) admission(ask asked, req *coap.Message) (*Admission, *coap.Message) {
	a := &Admission{}
	if answer := g.check(a, ask, req); answer != nil {
		return nil, answer
	}
	return a, nil
}

// asked is a request that is well-formed, on its way through the guard.
type asked struct {
	proof *proof
	query coap.Query // of a request that is not private
	peer  edgeistry.PeerKey
	now   Now

	foremost bool // no deny list stops it
}

// check returns the answer to send, or nil: then a is the admission.
func (g *Guard) check(a *Admission, ask asked, req *coap.Message) *coap.Message {
	if _, protected := req.Get(coap.OptionRequest); !protected {
		return Refusal(g.Unprotected(req))
	}
	value, r := scan(req)
	if r != ReasonNone {
		return Refusal(r)
	}
	var p proof
	if r := p.parse(value, g.cfg.Mirror); r != ReasonNone {
		return Refusal(r)
	}
	ask.proof = &p
	if p.carried == nil {
		return g.checkProof(a, &ask, req)
	}
	return g.checkCarried(a, &ask, req)
}

// checkCarried goes on with a request that brings a carried form.
func (g *Guard) checkCarried(a *Admission, ask *asked, req *coap.Message) *coap.Message {
	var room [MaxParts]part
	if r := ask.proof.decode(&room, g.cfg.MaxCarried); r != ReasonNone {
		return Refusal(r)
	}
	return g.checkProof(a, ask, req)
}

// checkProof goes on from step 3 of "Reading a request" of docs/spec/capability.md.
func (g *Guard) checkProof(a *Admission, ask *asked, req *coap.Message) *coap.Message {
	a.Request = req
	var r Reason
	if ask.proof.private {
		if r = g.checkOuter(req); r != ReasonNone {
			return Refusal(r)
		}
	} else if ask.query, r = g.query(req); r != ReasonNone {
		return Refusal(r)
	}
	if g.cfg.Closed != ReasonNone {
		return Refusal(g.cfg.Closed)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if ask.proof.form == formOpen {
		return g.open(a, ask)
	}
	return g.resume(a, ask)
}

func (g *Guard) query(req *coap.Message) (coap.Query, Reason) {
	q, err := req.Query()
	if err != nil || q.Wait != 0 && !g.cfg.EnableWait {
		return coap.Query{}, ReasonBadOption
	}
	return q, ReasonNone
}

// scan looks at the options before any key is used, in their order, and gives the value of 65001.
func scan(m *coap.Message) (value []byte, r Reason) {
	var paths, queries, observes int
	if len(m.Options) > coap.MaxOptions {
		return nil, ReasonMalformed
	}
	for i := range m.Options {
		number, v := m.Options[i].Number, m.Options[i].Value
		lowest, highest := 0, 0
		switch number {
		case coap.OptionIfMatch, coap.OptionRequestTag:
			highest = 8
		case coap.OptionIfNoneMatch:
		case coap.OptionObserve:
			highest = 3
			observes++
		case coap.OptionBlock2, coap.OptionBlock1:
			highest = 3
		case coap.OptionURIPath:
			highest = edgeistry.MaxName
			paths++
		case coap.OptionURIQuery:
			highest = edgeistry.MaxName
			queries++
		case coap.OptionContentFormat, coap.OptionAccept:
			highest = 2
		case coap.OptionRequest:
			lowest, highest = sessionSize, 255
			if value != nil {
				return nil, ReasonMalformed
			}
			value = v
		case coap.OptionSize1, coap.OptionSize2:
			continue
		default:
			return nil, ReasonBadOption
		}
		if len(v) < lowest || len(v) > highest || paths > coap.MaxSegments || queries > coap.MaxQueries || observes > 1 {
			return nil, ReasonMalformed
		}
		if number == coap.OptionObserve && (len(v) > 1 || len(v) == 1 && v[0] > coap.ObserveDeregister) {
			return nil, ReasonBadOption
		}
	}
	return value, ReasonNone
}

// open follows "Opening" of docs/spec/capability.md, step by step.
func (g *Guard) open(a *Admission, ask *asked) *coap.Message {
	p, now := ask.proof, ask.now
	parts := p.parts
	var roots [MaxParts]BranchKey
	if r := g.roots(parts, &roots); r != ReasonNone {
		return Refusal(r)
	}
	if fingerprints, denied := g.denyListed(parts); denied && !ask.foremost {
		return Refusal(ReasonDenyListed)
	} else if fingerprints != nil {
		a.fingerprints = fingerprints
	}
	boot, tick := binary.BigEndian.Uint32(p.cookie[:]), binary.BigEndian.Uint32(p.cookie[4:])
	mac := cookieMAC(g.cfg.CookieKey, boot, tick, p.nonce, parts[0].header.encode())
	if boot != g.cfg.Boot || now.Tick-tick > maxCookieAge || !hmac.Equal(mac[:], p.cookie[8:]) {
		return Refusal(ReasonCookie)
	}
	mark := [ringMark]byte(mac[:])
	if g.ring.has(mark, now.Tick) {
		return g.reopen(a, ask, mark, tick)
	}
	used := g.ring.room(parts[0].header.Branch, now.Tick)
	if used == nil {
		return Refusal(ReasonNoRoom)
	}
	var chains [MaxParts]chain
	for i := range parts {
		chains[i].derive(roots[i], p, &parts[i])
	}
	ks := chains[0].ks
	for i := range parts[1:] {
		ks = joinKey(ks, chains[i+1].ks)
	}
	t := newTagger(ks)
	if !g.verify(t, p, tick, a.Request) {
		return Refusal(ReasonTag)
	}
	i := slotFor(g.slots, parts[0].header, now.Tick)
	if i < 0 {
		return Refusal(ReasonNoRoom)
	}
	used.ticks[mark] = tick
	g.sessions++
	s := &g.slots[i]
	s.fill(g.mac, g.sessions, p, mark, t, now.Tick)
	s.fingerprints, s.meters.guard = a.fingerprints, g
	g.begin(a, ask, s, uint8(i))
	if wrong := wrongDischarge(parts, &chains); wrong != 0 {
		answer := a.answer(Denial{Reason: ReasonDenied, Frame: wrong, Constraint: TypeThirdParty}.message(), now.Tick)
		*s = slot{}
		return answer
	}
	s.meters.find(parts, &chains, now.Tick)
	return g.admit(a, ask, s, tick)
}

// roots returns the branch key of each part: of all parts hint, epoch and key first, then the
// generations.
func (g *Guard) roots(parts []part, roots *[MaxParts]BranchKey) Reason {
	for i := range parts {
		h := &parts[i].header
		if h.Hint != g.cfg.Hint || h.Epoch != g.cfg.Epoch {
			return ReasonEpoch
		}
		var ok bool
		if roots[i], ok = g.cfg.BranchKey(h.Branch, g.generations[h.Branch]); !ok {
			return ReasonEpoch
		}
	}
	for i := range parts {
		if h := &parts[i].header; h.Generation != g.generations[h.Branch] {
			return ReasonGeneration
		}
	}
	return ReasonNone
}

// reopen answers an OPEN that came before. It opens nothing and runs nothing.
func (g *Guard) reopen(a *Admission, ask *asked, mark [ringMark]byte, tick uint32) *coap.Message {
	for i := range g.slots {
		s := &g.slots[i]
		if !s.inUse || s.mark != mark {
			continue
		}
		if !g.verify(s.tagger, ask.proof, tick, a.Request) {
			return Refusal(ReasonTag)
		}
		g.begin(a, ask, s, uint8(i))
		return g.duplicate(a, s)
	}
	return Refusal(ReasonCookieUsed)
}

// resume follows "A request in a session" up to the window.
func (g *Guard) resume(a *Admission, ask *asked) *coap.Message {
	p, now := ask.proof, ask.now
	if int(p.slot) >= len(g.slots) || !g.slots[p.slot].inUse {
		return Refusal(ReasonNoSession)
	}
	s := &g.slots[p.slot]
	if p.form == formSession && s.carried == nil {
		return Refusal(ReasonNeedFrames)
	}
	if p.form == formSessionFrames && !s.matches(g.mac, p.carried) {
		return Refusal(ReasonTag)
	}
	tick := now.Tick - uint32(uint16(now.Tick)-p.tick)
	if !g.verify(s.tagger, p, tick, a.Request) {
		return Refusal(ReasonTag)
	}
	if !ask.foremost && slices.ContainsFunc(s.fingerprints, g.cfg.Denied) {
		*s = slot{}
		return Refusal(ReasonDenyListed)
	}
	g.begin(a, ask, s, p.slot)
	switch s.window.take(p.sequence) {
	case sequenceSeen:
		return g.duplicate(a, s)
	case sequenceOld:
		return Refusal(ReasonSequence)
	case sequenceNew:
	}
	s.accept(p.tag, now.Tick)
	return g.admit(a, ask, s, tick)
}

func (g *Guard) verify(t *tagger, p *proof, tick uint32, req *coap.Message) bool {
	sum, err := t.request(g.mac, p.slot, p.sequence, tick, p.hold, req)
	return err == nil && hmac.Equal(sum[:len(p.tag)], p.tag)
}
