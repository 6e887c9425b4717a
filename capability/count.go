package capability

import (
	"errors"
	"fmt"
)

const (
	// MaxCells bounds the cells of a verifier.
	MaxCells = 4

	identitySize = 8
)

// Identity names a chain up to one of its frames: the first 8 bytes of the key after that frame. Everything narrowed from there
// has the same one. Zeros name none.
type Identity [identitySize]byte

// Count is at most N requests, counted in a cell of the verifier that survives power loss.
type Count struct {
	N    uint8 // from 1
	Cell uint8 // 0..3
}

// parseCount reads n u8 | cell u8.
func parseCount(v []byte) (Count, error) {
	if len(v) != 2 {
		return Count{}, errConstraint
	}
	c := Count{v[0], v[1]}
	return c, c.check()
}

func (c Count) check() error {
	if c.N == 0 || c.Cell >= MaxCells {
		return fmt.Errorf("a count of %d in cell %d: %w (1 to 255, in cell 0 to %d)", c.N, c.Cell, errConstraint, MaxCells-1)
	}
	return nil
}

func (c Count) describe() string {
	if c.N == 1 {
		return "once"
	}
	return fmt.Sprintf("at most %d times", c.N)
}

// Counters are the cells of a verifier: what they hold survives power loss.
type Counters interface {
	// Cell returns the chain that a cell is reserved for, and how many requests of it were let
	// through. False: there is no such cell, or it cannot be read.
	Cell(cell uint8) (id Identity, used uint8, ok bool)
	// Raise counts one request more. It returns when that is stored and read back; a count that has reached 255 is an error.
	Raise(cell uint8) error
	// Reserve assigns the cell to a chain: the count starts at 0, unless it is that chain's already. Zeros free it.
	Reserve(cell uint8, id Identity) error
}

// MemoryCounters are cells that end with the process. The zero value is ready, and not safe for concurrent use: a Guard
// asks its counters one at a time.
type MemoryCounters struct {
	cells [MaxCells]struct {
		id   Identity
		used uint8
	}
}

var errCell = errors.New("cell cannot count")

// Cell implements Counters.
func (m *MemoryCounters) Cell(cell uint8) (Identity, uint8, bool) {
	if cell >= MaxCells {
		return Identity{}, 0, false
	}
	return m.cells[cell].id, m.cells[cell].used, true
}

// Raise implements Counters.
func (m *MemoryCounters) Raise(cell uint8) error {
	if cell >= MaxCells || m.cells[cell].used == 255 {
		return fmt.Errorf("cell %d: %w", cell, errCell)
	}
	m.cells[cell].used++
	return nil
}

// Reserve implements Counters.
func (m *MemoryCounters) Reserve(cell uint8, id Identity) error {
	if cell >= MaxCells {
		return fmt.Errorf("cell %d: %w", cell, errCell)
	}
	if m.cells[cell].id != id {
		m.cells[cell].id, m.cells[cell].used = id, 0
	}
	return nil
}

// Reserve returns the payload of POST /n: cell u8 | identity (8).
func (id Identity) Reserve(cell uint8) []byte { return append([]byte{cell}, id[:]...) }

// Identity returns what a cell is reserved for so that it counts the requests of c and of
// everything narrowed from it: that of its last frame, in which the COUNT must stand.
func (c *Capability) Identity() Identity { return Identity(c.key[:]) }
