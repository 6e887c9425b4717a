package logstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/edgeistry/edgeistry"
	"github.com/ipfs/go-datastore"
)

// Limits of one read; there may be more to come.
const (
	MaxReadEntries = 1024
	MaxReadBytes   = 1 << 20 // of payloads; one entry is always given
)

// Read returns up to n entries of one incarnation from sequence from on, with nothing missing between
// them: it ends before a gap. No entries and no error: from is the next one to come. ErrNotKept: it
// is not kept, or further ahead.
func (l *Log) Read(ctx context.Context, incarnation, from uint32, n int) ([]Entry, error) {
	t := l.snapshot()
	at := edgeistry.Place{Incarnation: incarnation, Sequence: from}
	if !t.empty() && incarnation == t.incarnation && uint64(from) == uint64(t.last)+1 {
		return nil, nil
	}
	r, _, err := l.find(ctx, t, at)
	if err != nil {
		return nil, err
	}
	if r.last == 0 || r.incarnation != incarnation || from < r.first {
		return nil, fmt.Errorf("log %s, entry %d.%d: %w", l.id, incarnation, from, ErrNotKept)
	}
	return l.forward(ctx, r, from, n)
}

// After returns up to n entries that follow p: the next kept ones of its incarnation or, if that is
// over, the first of a later one. All are of one incarnation with nothing missing between them, but
// there may be a gap before the first (then its Gap flag is set). The zero Place is before
// everything. No entries and no error: p is the head or beyond it.
func (l *Log) After(ctx context.Context, p edgeistry.Place, n int) ([]Entry, error) {
	t := l.snapshot()
	if t.empty() || !before(p, t.end()) {
		return nil, nil
	}
	at := following(p)
	r, _, err := l.find(ctx, t, at)
	if err != nil {
		return nil, err
	}
	from := r.first
	if r.incarnation == at.Incarnation {
		from = max(from, at.Sequence)
	}
	return l.forward(ctx, r, from, n)
}

// Last returns the newest n entries, oldest first, over gaps and incarnations.
func (l *Log) Last(ctx context.Context, n int) ([]Entry, error) {
	t := l.snapshot()
	return l.until(ctx, t, t.end(), n)
}

// Until returns the n entries that end with the one at p, oldest first, over gaps and incarnations.
func (l *Log) Until(ctx context.Context, p edgeistry.Place, n int) ([]Entry, error) {
	return l.until(ctx, l.snapshot(), p, n)
}

func (l *Log) until(ctx context.Context, t tail, p edgeistry.Place, n int) ([]Entry, error) {
	if t.empty() || n <= 0 {
		return nil, nil
	}
	r, ordinal, err := l.find(ctx, t, p)
	if err != nil {
		return nil, err
	}
	if r.last == 0 || r.incarnation != p.Incarnation || p.Sequence < r.first {
		return nil, fmt.Errorf("log %s, entry %d.%d: %w", l.id, p.Incarnation, p.Sequence, ErrNotKept)
	}
	n = min(n, MaxReadEntries)
	var entries []Entry // newest first until the end
	for size, seq := 0, p.Sequence; ; {
		e, err := l.readEntry(ctx, edgeistry.Place{Incarnation: r.incarnation, Sequence: seq})
		if err != nil {
			return nil, err
		}
		if seq == r.last && e.Hash != r.hash {
			return nil, l.corrupt(e.Place, errChain)
		}
		if k := len(entries); k > 0 && seq != r.last && entries[k-1].Prev != e.Hash {
			return nil, l.corrupt(entries[k-1].Place, errChain)
		}
		if size += len(e.Payload); size > MaxReadBytes && len(entries) > 0 {
			break
		}
		entries = append(entries, e)
		if len(entries) == n {
			break
		}
		if seq > r.first {
			seq--
			continue
		}
		if ordinal == 0 {
			break
		}
		ordinal--
		if r, err = l.runAt(ctx, t, ordinal); err != nil {
			return nil, err
		}
		seq = r.last
	}
	slices.Reverse(entries)
	return entries, nil
}

// forward reads r from sequence from on and checks the chain.
func (l *Log) forward(ctx context.Context, r run, from uint32, n int) ([]Entry, error) {
	n = int(min(int64(n), MaxReadEntries, int64(r.last)-int64(from)+1))
	if n <= 0 {
		return nil, nil
	}
	entries := make([]Entry, 0, n)
	size := 0
	for len(entries) < n {
		e, err := l.readEntry(ctx, edgeistry.Place{Incarnation: r.incarnation, Sequence: from})
		if err != nil {
			return nil, err
		}
		if k := len(entries); k > 0 && e.Prev != entries[k-1].Hash || from == r.last && e.Hash != r.hash {
			return nil, l.corrupt(e.Place, errChain)
		}
		if size += len(e.Payload); size > MaxReadBytes && len(entries) > 0 {
			break
		}
		entries = append(entries, e)
		from++
	}
	return entries, nil
}

var errChain = errors.New("hash chain is broken")

// entry reads one entry that is kept; ErrNotKept otherwise.
func (l *Log) entry(ctx context.Context, at edgeistry.Place) (Entry, error) {
	r, _, err := l.find(ctx, l.snapshot(), at)
	if err != nil {
		return Entry{}, err
	}
	if r.last == 0 || r.incarnation != at.Incarnation || at.Sequence < r.first {
		return Entry{}, ErrNotKept
	}
	return l.readEntry(ctx, at)
}

// readEntry reads an entry that must be there and checks all that can be checked of it alone.
func (l *Log) readEntry(ctx context.Context, at edgeistry.Place) (Entry, error) {
	key := entryKey(l.number, at)
	value, err := l.store.get(ctx, key)
	if errors.Is(err, datastore.ErrNotFound) {
		return Entry{}, l.corrupt(at, errors.New("entry is missing"))
	}
	if err != nil {
		return Entry{}, fmt.Errorf("log %s, entry %d.%d: %w", l.id, at.Incarnation, at.Sequence, err)
	}
	e, err := decodeEntry(key, value)
	if err == nil && e.Place != at {
		err = errors.New("entry of another place")
	}
	if err == nil && e.Hash != edgeistry.ChainHash(l.hint, l.id.Name, at, e.Prev, e.Payload) {
		err = errors.New("hash does not match")
	}
	if err != nil {
		return Entry{}, l.corrupt(at, err)
	}
	return e, nil
}

// find returns the first run that does not end before at, and its ordinal; a run with last 0 if
// there is none.
func (l *Log) find(ctx context.Context, t tail, at edgeistry.Place) (run, uint32, error) {
	if t.empty() || before(t.end(), at) {
		return run{}, 0, nil
	}
	found, ordinal := t.run, t.ordinal
	for low := uint32(0); low < ordinal; {
		middle := low + (ordinal-low)/2
		r, err := l.runAt(ctx, t, middle)
		if err != nil {
			return run{}, 0, err
		}
		if before(r.end(), at) {
			low = middle + 1
		} else {
			found, ordinal = r, middle
		}
	}
	return found, ordinal, nil
}

func (l *Log) runAt(ctx context.Context, t tail, ordinal uint32) (run, error) {
	if ordinal == t.ordinal {
		return t.run, nil
	}
	key := runKey(l.number, ordinal)
	value, err := l.store.get(ctx, key)
	if errors.Is(err, datastore.ErrNotFound) {
		return run{}, l.corrupt(edgeistry.Place{}, fmt.Errorf("run %d is missing", ordinal))
	}
	if err != nil {
		return run{}, fmt.Errorf("log %s, run %d: %w", l.id, ordinal, err)
	}
	r, err := decodeRun(key, value)
	if err != nil {
		return run{}, l.corrupt(edgeistry.Place{}, fmt.Errorf("run %d: %w", ordinal, err))
	}
	return r, nil
}
