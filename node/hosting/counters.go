package hosting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/logstore"
)

// counters are the counts of a service that this node hosts, as one record of the log store: for each cell identity (8) | used u8. They implement
// capability.Counters: a guard asks one thing at a time.
//
// What is in memory is on disk, or counts higher: a write that failed may be there all the same, so its count stays spent. The log store refuses
// every write after it, so no count comes back by being written over.
type counters struct {
	ctx   context.Context // of the node: Counters has none, and a guard waits for the disk
	store *logstore.Store
	name  string
	all   [capability.MaxCells]countCell
}

type countCell struct {
	id   capability.Identity
	used uint8
}

const cellRecordSize = capability.MaxCells * (len(capability.Identity{}) + 1)

var errCell = errors.New("cell cannot count")

// openCounters reads the cells of a service. A record that cannot be read is an error: cells that look new would give counts back.
func openCounters(ctx context.Context, store *logstore.Store, id edgeistry.ServiceID) (*counters, error) {
	c := &counters{ctx: ctx, store: store, name: "counts/" + id.String()}
	raw, err := store.Get(ctx, c.name)
	switch {
	case errors.Is(err, logstore.ErrNotFound):
		return c, nil
	case err != nil:
		return nil, fmt.Errorf("read the counts of capabilities: %w", err)
	case len(raw) != cellRecordSize:
		return nil, fmt.Errorf("read the counts of capabilities: record of %d bytes, want %d", len(raw), cellRecordSize)
	}
	for i := range c.all {
		n := copy(c.all[i].id[:], raw)
		c.all[i].used = raw[n]
		raw = raw[n+1:]
	}
	return c, nil
}

// Cell implements capability.Counters.
func (c *counters) Cell(cell uint8) (capability.Identity, uint8, bool) {
	if cell >= capability.MaxCells {
		return capability.Identity{}, 0, false
	}
	return c.all[cell].id, c.all[cell].used, true
}

// Raise implements capability.Counters.
func (c *counters) Raise(cell uint8) error {
	if cell >= capability.MaxCells || c.all[cell].used == math.MaxUint8 {
		return fmt.Errorf("cell %d: %w", cell, errCell)
	}
	c.all[cell].used++
	return c.write(c.all)
}

// Reserve implements capability.Counters.
func (c *counters) Reserve(cell uint8, id capability.Identity) error {
	if cell >= capability.MaxCells {
		return fmt.Errorf("cell %d: %w", cell, errCell)
	}
	if c.all[cell].id == id {
		return nil
	}
	all := c.all
	all[cell] = countCell{id: id}
	if err := c.write(all); err != nil {
		return err
	}
	c.all = all
	return nil
}

// write returns when the cells are on disk and read back.
func (c *counters) write(all [capability.MaxCells]countCell) error {
	record := make([]byte, 0, cellRecordSize)
	for _, cell := range all {
		record = append(append(record, cell.id[:]...), cell.used)
	}
	if err := c.store.Put(c.ctx, c.name, record); err != nil {
		return fmt.Errorf("keep the counts of capabilities: %w", err)
	}
	back, err := c.store.Get(c.ctx, c.name)
	if err == nil && !bytes.Equal(back, record) {
		err = errCell
	}
	if err != nil {
		return fmt.Errorf("read the counts of capabilities back: %w", err)
	}
	return nil
}
