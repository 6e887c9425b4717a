package capability

import (
	"crypto/subtle"
	"encoding/binary"
	"slices"

	"github.com/edgeistry/edgeistry/coap"
)

// Management is what a request with the operation Manage asks for.
type Management uint8

// The things to manage.
const (
	ManageGeneration Management = iota + 1 // POST /g
	ManageEpoch                            // POST /e
	ManageCell                             // POST /n
)

const (
	generationSize = 2
	epochSize      = 2 + keySize
	cellSize       = 1 + identitySize
)

// ownersOwn reports whether a request is proved by the owner's own capability and nothing else: who
// made an epoch without knowing Ke would lock the owner out.
func ownersOwn(parts []part) bool {
	p := &parts[0]
	for i := range p.discharges {
		if p.discharges[i].binding != nil {
			return false
		}
	}
	return len(parts) == 1 && p.header.Branch == BranchOwner && p.header.Nonce == [4]byte{} && p.nframes == 1 && len(p.frames[0]) == 0
}

// Generation reads what POST /g asks for. A generation that the branch has already is no error, and nothing is to do then.
func (a *Admission) Generation() (branch, generation uint8, r Reason) {
	v := a.Request.Payload
	if a.Management != ManageGeneration || len(v) != generationSize || v[0] > BranchMirror || v[1] < a.guard.Generation(v[0]) {
		return 0, 0, ReasonArgument
	}
	return v[0], v[1], ReasonNone
}

// padEpoch hides r in the payload of POST /e, epoch u16 | r XOR pad, from whoever is on the way.
func padEpoch(m *coap.Message, ks [keySize]byte, sequence uint32) {
	var target Target
	if r := target.read(m, ""); r != ReasonNone || target.Management != ManageEpoch || len(m.Payload) != epochSize {
		return
	}
	pad := padKey(ks, sequence)
	payload := slices.Clone(m.Payload)
	subtle.XORBytes(payload[2:], payload[2:], pad[:])
	m.Payload = payload
}

// Epoch reads what POST /e asks for: the epoch, which is the next one, and r, which EpochKey.Next wants. The caller stores the
// next key, then calls Guard.SetEpoch, then answers.
func (a *Admission) Epoch() (epoch uint16, r [32]byte, reason Reason) {
	v := a.Request.Payload
	if a.Management != ManageEpoch || len(v) != epochSize {
		return 0, r, ReasonArgument
	}
	epoch = binary.BigEndian.Uint16(v)
	if ours := a.guard.Epoch(); ours == 0xffff || epoch != ours+1 {
		return 0, r, ReasonArgument
	}
	pad := padKey(a.tagger.ks, a.Sequence)
	subtle.XORBytes(r[:], v[2:], pad[:])
	return epoch, r, ReasonNone
}

// Cell reads what POST /n asks for. Guard.Reserve does it.
func (a *Admission) Cell() (cell uint8, id Identity, r Reason) {
	v := a.Request.Payload
	if a.Management != ManageCell || len(v) != cellSize || v[0] >= MaxCells {
		return 0, id, ReasonArgument
	}
	return v[0], Identity(v[1:]), ReasonNone
}

// Epoch returns the epoch that this guard verifies for.
func (g *Guard) Epoch() uint16 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cfg.Epoch
}

// SetEpoch starts an epoch: every session ends, all generations are 0, and the cells of counts are freed. An error means that a
// cell could not be; the epoch has begun all the same, and no chain of it has that cell.
func (g *Guard) SetEpoch(epoch uint16, cookieKey [32]byte, branchKey func(branch, generation uint8) (BranchKey, bool)) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cfg.Epoch, g.cfg.CookieKey, g.cfg.BranchKey = epoch, cookieKey, branchKey
	g.generations = [BranchMirror + 1]uint8{}
	clear(g.slots)
	var failed error
	if g.cfg.Counters != nil {
		for cell := range uint8(MaxCells) {
			if _, _, ok := g.cfg.Counters.Cell(cell); ok {
				if err := g.cfg.Counters.Reserve(cell, Identity{}); err != nil {
					failed = err
				}
			}
		}
	}
	return failed
}

// Reserve assigns a cell to a chain. Sessions that are open do not know of it: COUNT denies in
// them until they are opened anew.
func (g *Guard) Reserve(cell uint8, id Identity) Reason {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cfg.Counters == nil || cell >= MaxCells {
		return ReasonArgument
	}
	if err := g.cfg.Counters.Reserve(cell, id); err != nil {
		return ReasonStorage
	}
	for i := range g.slots {
		g.slots[i].meters.cells[cell] = 0
	}
	return ReasonNone
}

// timeBackSize is the size of a POST /t that may set the clock back.
//
//	POST /t    unix seconds u32            forward
//	           unix seconds u32 | 01       back, too: under the owner's own capability alone
const timeBackSize = 5

// Clock reads what POST /t asks for: the time, and whether the clock may be set back.
func (a *Admission) Clock() (unix uint32, back bool, r Reason) {
	p := a.Request.Payload
	switch {
	case len(p) == 4:
	case len(p) == timeBackSize && p[4] == 1:
		back = true
	default:
		return 0, false, ReasonArgument
	}
	return binary.BigEndian.Uint32(p), back, ReasonNone
}
