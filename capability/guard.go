package capability

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// GuardConfig says what a Guard verifies for. BranchKey and CookieKey must be set.
type GuardConfig struct {
	Hint        [4]byte
	Epoch       uint16
	Boot        uint32
	Generations [BranchMirror + 1]uint8
	CookieKey   [32]byte // EpochKey.CookieKey(Boot); at a mirror 32 random bytes of this start

	// BranchKey gives the keys that this verifier has: EpochKey.BranchKeys, or at a mirror the key of branch 15 alone.
	BranchKey func(branch, generation uint8) (BranchKey, bool)

	Slots      int    // sessions at a time, at most 255; 0: 4
	MaxCarried int    // longest carried form taken; 0: MaxCarried
	Mirror     bool   // this is the mirror verifier: bit 7 of every form is set
	EnableWait bool   // the query w is allowed: nodes have it, devices do not
	Closed     Reason // ReasonUnclaimed or ReasonBootLost: everything protected is refused with it
}

// Guard is the verifying side: what a service asks before it acts. It has no clock: the same bytes at the same
// ticks give the same answers. It is the twin of the C core. Safe for concurrent use.
type Guard struct {
	cfg GuardConfig

	mu          sync.Mutex // guards what follows
	generations [BranchMirror + 1]uint8
	ring        usedRing
	slots       []slot
	sessions    uint64 // opened so far
}

// NewGuard makes a verifier in which no session is open.
func NewGuard(cfg GuardConfig) (*Guard, error) {
	if cfg.BranchKey == nil || cfg.CookieKey == [32]byte{} {
		return nil, errors.New("guard: BranchKey and CookieKey must be set")
	}
	if cfg.Slots == 0 {
		cfg.Slots = defaultSlots
	}
	if cfg.MaxCarried == 0 {
		cfg.MaxCarried = MaxCarried
	}
	if cfg.Slots < 1 || cfg.Slots > maxSlots || cfg.MaxCarried < HeaderSize+1 || cfg.MaxCarried > MaxCarried {
		return nil, fmt.Errorf("guard: %d slots (1 to %d), %d bytes carried (%d to %d)",
			cfg.Slots, maxSlots, cfg.MaxCarried, HeaderSize+1, MaxCarried)
	}
	return &Guard{cfg: cfg, generations: cfg.Generations, slots: make([]slot, cfg.Slots)}, nil
}

// Generation gives the generation of a branch (0..15).
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
		if g.slots[i].branch == branch {
			g.slots[i] = slot{}
		}
	}
}

// Hello gives the cookie for a hello's payload. It keeps no state.
func (g *Guard) Hello(payload []byte, now Now) ([]byte, Reason) {
	if len(payload) != helloSize {
		return nil, ReasonMalformed
	}
	header := [HeaderSize]byte(payload[nonceSize:])
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
func (g *Guard) AnswerHello(req *Message, now Now) *Message {
	cookie, r := g.Hello(req.Payload, now)
	if r != ReasonNone {
		return Refusal(r)
	}
	return &Message{Code: CodeChanged, Payload: cookie}
}

// Check judges a request. Either it is admitted: the caller acts once and answers through the Admission; or the
// message is what to send: a refusal, or the answer that a duplicate gets again.
func (g *Guard) Check(req *Message, now Now) (*Admission, *Message) {
	value, r := scan(req)
	if r != ReasonNone {
		return nil, Refusal(r)
	}
	if value == nil {
		return nil, Refusal(ReasonNeedCapability)
	}
	p, r := parseProof(value, g.cfg.Mirror, g.cfg.MaxCarried)
	if r != ReasonNone {
		return nil, Refusal(r)
	}
	q, err := req.Query()
	if err != nil || q.Wait != 0 && !g.cfg.EnableWait {
		return nil, Refusal(ReasonBadOption)
	}
	if g.cfg.Closed != ReasonNone {
		return nil, Refusal(g.cfg.Closed)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.form == formOpen {
		return g.open(req, &p, q, now)
	}
	return g.resume(req, &p, q, now)
}

// scan looks at the options before any key is used, in their order, and gives the value of 65001.
func scan(m *Message) (value []byte, r Reason) {
	var paths, queries, observes int
	if len(m.Options) > maxOptions {
		return nil, ReasonMalformed
	}
	for i := range m.Options {
		number, v := m.Options[i].Number, m.Options[i].Value
		lowest, highest := 0, 0
		switch number {
		case OptionIfMatch, OptionRequestTag:
			highest = 8
		case OptionIfNoneMatch:
		case OptionObserve:
			highest = 3
			observes++
		case OptionBlock2, OptionBlock1:
			highest = 3
		case OptionURIPath:
			highest = maxSegmentLength
			paths++
		case OptionURIQuery:
			highest = maxSegmentLength
			queries++
		case OptionContentFormat, OptionAccept:
			highest = 2
		case OptionRequest:
			lowest, highest = sessionSize, 255
			if value != nil {
				return nil, ReasonMalformed
			}
			value = v
		case OptionSize1, OptionSize2:
			continue
		default:
			return nil, ReasonBadOption
		}
		if len(v) < lowest || len(v) > highest || paths > maxSegments || queries > maxQueries || observes > 1 {
			return nil, ReasonMalformed
		}
		if number == OptionObserve && (len(v) > 1 || len(v) == 1 && v[0] > observeDeregister) {
			return nil, ReasonBadOption
		}
	}
	return value, ReasonNone
}

// open follows "Opening" of docs/spec/capability.md, step by step.
func (g *Guard) open(req *Message, p *proof, q Query, now Now) (*Admission, *Message) {
	if p.header.Hint != g.cfg.Hint || p.header.Epoch != g.cfg.Epoch {
		return nil, Refusal(ReasonEpoch)
	}
	kb, ok := g.cfg.BranchKey(p.header.Branch, g.generations[p.header.Branch])
	if !ok {
		return nil, Refusal(ReasonEpoch)
	}
	if p.header.Generation != g.generations[p.header.Branch] {
		return nil, Refusal(ReasonGeneration)
	}
	boot, tick := binary.BigEndian.Uint32(p.cookie[:]), binary.BigEndian.Uint32(p.cookie[4:])
	header := p.header.encode()
	mac := cookieMAC(g.cfg.CookieKey, boot, tick, p.nonce, header)
	if boot != g.cfg.Boot || tick > now.Tick || now.Tick-tick > maxCookieAge || !hmac.Equal(mac[:], p.cookie[8:]) {
		return nil, Refusal(ReasonCookie)
	}
	mark := [ringMark]byte(mac[:])
	if g.ring.has(mark, now.Tick) {
		return nil, g.reopen(req, p, mark, tick, now)
	}
	entry := g.ring.room(p.header.Branch, now.Tick)
	if entry == nil {
		return nil, Refusal(ReasonNoRoom)
	}
	k := headKey(kb, header, p.frames[0])
	for _, f := range p.frames[1:p.nframes] {
		k = frameKey(k, f)
	}
	t := newTagger(sessionKey(k, p.nonce, p.cookie))
	if !verify(t, p, tick, req) {
		return nil, Refusal(ReasonTag)
	}
	i := slotFor(g.slots, p.header, now.Tick)
	if i < 0 {
		return nil, Refusal(ReasonNoRoom)
	}
	*entry = usedCookie{inUse: true, tick: tick, mark: mark}
	g.sessions++
	s := &g.slots[i]
	s.fill(g.sessions, p, mark, t, now.Tick)
	return g.admit(req, p, q, s, uint8(i), tick, now)
}

// reopen answers an OPEN that came before. It opens nothing and runs nothing.
func (g *Guard) reopen(req *Message, p *proof, mark [ringMark]byte, tick uint32, now Now) *Message {
	for i := range g.slots {
		s := &g.slots[i]
		if !s.inUse || s.mark != mark {
			continue
		}
		if !verify(s.tagger, p, tick, req) {
			return Refusal(ReasonTag)
		}
		s.used = now.Tick
		return g.duplicate(req, p, s, uint8(i), now)
	}
	return Refusal(ReasonCookieUsed)
}

// resume follows "A request in a session" up to the window.
func (g *Guard) resume(req *Message, p *proof, q Query, now Now) (*Admission, *Message) {
	if int(p.slot) >= len(g.slots) || !g.slots[p.slot].inUse {
		return nil, Refusal(ReasonNoSession)
	}
	s := &g.slots[p.slot]
	if p.form == formSession && s.carried == nil {
		return nil, Refusal(ReasonNeedFrames)
	}
	if p.form == formSessionFrames && !s.matches(p.carried) {
		return nil, Refusal(ReasonTag)
	}
	tick := now.Tick - uint32(uint16(now.Tick)-p.tick)
	if !verify(s.tagger, p, tick, req) {
		return nil, Refusal(ReasonTag)
	}
	s.used = now.Tick
	switch s.window.take(p.sequence) {
	case sequenceSeen:
		return nil, g.duplicate(req, p, s, p.slot, now)
	case sequenceOld:
		return nil, Refusal(ReasonSequence)
	case sequenceNew:
	}
	s.accept(p.tag)
	return g.admit(req, p, q, s, p.slot, tick, now)
}

func verify(t *tagger, p *proof, tick uint32, req *Message) bool {
	sum, err := t.request(p.slot, p.sequence, tick, p.hold, req)
	return err == nil && hmac.Equal(sum[:len(p.tag)], p.tag)
}
