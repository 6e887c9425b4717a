package logstore

import (
	"errors"
	"fmt"
	"math"

	"github.com/edgeistry/edgeistry"
	"github.com/ipfs/go-datastore"
)

// group is what the next batch will write, and how logs and producers stand after it. Writes are
// staged one by one; one that is refused leaves no trace.
type group struct {
	c       *committer
	tails   map[*Log]tail
	marks   map[string]mark
	puts    []put
	dropped []*Log
	bytes   int
	writes  []staged

	undo undo // of the write being staged
}

type put struct {
	key   string
	value []byte // nil: delete
}

type staged struct {
	write  *write
	result result
}

// undo is how things stood before the write being staged.
type undo struct {
	puts, bytes int
	tails       []oldTail
	marks       []oldMark
}

type oldTail struct {
	log  *Log
	tail tail
	had  bool
}

type oldMark struct {
	key  string
	mark mark
	had  bool
}

func newGroup(c *committer) *group {
	return &group{c: c, tails: map[*Log]tail{}, marks: map[string]mark{}}
}

// stage takes a write into the group, or refuses it (result.err). It says false if the write has to
// see the group on disk first.
func (g *group) stage(w *write) (r result, fits bool) {
	if err := w.ctx.Err(); err != nil {
		return result{err: err}, true
	}
	g.undo = undo{puts: len(g.puts), bytes: g.bytes, tails: g.undo.tails[:0], marks: g.undo.marks[:0]}
	switch {
	case w.drop != nil:
		if _, ok := g.tails[w.drop]; ok {
			return result{}, false
		}
		r.err = g.drop(w.drop)
	case w.deletes != nil:
		for _, key := range w.deletes {
			g.put(key, nil)
		}
	case w.mirror != nil:
		if _, ok := g.tails[w.mirror.log]; ok {
			return result{}, false
		}
		r.stored, r.err = g.mirror(w)
	default:
		r.receipts, r.err = g.transaction(w)
	}
	if r.err != nil {
		g.rollback()
		r.receipts, r.stored = nil, 0
	}
	return r, true
}

func (g *group) rollback() {
	clear(g.puts[g.undo.puts:])
	g.puts, g.bytes = g.puts[:g.undo.puts], g.undo.bytes
	for i := len(g.undo.tails) - 1; i >= 0; i-- {
		if o := g.undo.tails[i]; o.had {
			g.tails[o.log] = o.tail
		} else {
			delete(g.tails, o.log)
		}
	}
	for i := len(g.undo.marks) - 1; i >= 0; i-- {
		if o := g.undo.marks[i]; o.had {
			g.marks[o.key] = o.mark
		} else {
			delete(g.marks, o.key)
		}
	}
}

func (g *group) put(key string, value []byte) {
	g.puts = append(g.puts, put{key, value})
	g.bytes += len(key) + len(value)
}

// tail returns how a log stands with the group. The committer alone writes Log.tail, so it may read
// it as it is.
func (g *group) tail(l *Log) tail {
	if t, ok := g.tails[l]; ok {
		return t
	}
	return l.snapshot()
}

func (g *group) setTail(l *Log, t tail) {
	old, had := g.tails[l]
	g.undo.tails = append(g.undo.tails, oldTail{l, old, had})
	g.tails[l] = t
}

func (g *group) setMark(key string, m mark) {
	old, had := g.marks[key]
	g.undo.marks = append(g.undo.marks, oldMark{key, old, had})
	g.marks[key] = m
}

func (g *group) transaction(w *write) ([]Receipt, error) {
	receipts := make([]Receipt, len(w.tx.Appends))
	for i := range w.tx.Appends {
		a := &w.tx.Appends[i]
		var err error
		if receipts[i], err = g.append(w, a.Log, &a.AppendRequest); err != nil {
			return nil, fmt.Errorf("append to %s: %w", a.Log.id, err)
		}
	}
	for i := range w.tx.Records {
		r := &w.tx.Records[i]
		key := recordKey(r.Name)
		if r.Delete {
			g.put(key, nil)
		} else {
			g.put(key, encodeRecord(key, r.Value))
		}
	}
	return receipts, nil
}

func (g *group) append(w *write, l *Log, r *AppendRequest) (Receipt, error) {
	if err := l.Err(); err != nil {
		return Receipt{}, err
	}
	var markKey string
	if r.Producer != "" {
		markKey = producerKey(l.number, r.Producer)
		if m, found, err := g.mark(w, l, markKey); err != nil {
			return Receipt{}, err
		} else if found && r.ProducerSeq <= m.seq {
			return repeated(l, r, m)
		}
	}
	t := g.tail(l)
	if t.mirrored {
		return Receipt{}, fmt.Errorf("%w: it mirrors another node or a device", ErrKind)
	}
	if r.Expect != nil && *r.Expect != t.last {
		return Receipt{}, &ConflictError{Log: l.id, Head: t.head()}
	}
	if t.last == math.MaxUint32 {
		return Receipt{}, fmt.Errorf("%w: no sequence is left", ErrLimit)
	}
	if t.empty() {
		t.incarnation, t.first, t.oldest = 1, 1, 1
	}
	e := Entry{Producer: r.Producer, ProducerSeq: r.ProducerSeq, Payload: r.Payload}
	g.entry(l, &t, &e)
	g.setTail(l, t)
	receipt := Receipt{Place: e.Place, Hash: e.Hash}
	if markKey != "" {
		m := mark{seq: r.ProducerSeq, receipt: receipt, prev: e.Prev}
		g.put(markKey, encodeMark(markKey, m))
		g.setMark(markKey, m)
	}
	return receipt, nil
}

// repeated answers an append that a producer made before.
func repeated(l *Log, r *AppendRequest, m mark) (Receipt, error) {
	if r.ProducerSeq < m.seq {
		return Receipt{}, fmt.Errorf("%w: %q sent %d, its newest is %d", ErrProducer, r.Producer, r.ProducerSeq, m.seq)
	}
	if edgeistry.ChainHash(l.hint, l.id.Name, m.receipt.Place, m.prev, r.Payload) != m.receipt.Hash {
		return Receipt{}, fmt.Errorf("%w: %q sent %d with another payload", ErrProducer, r.Producer, r.ProducerSeq)
	}
	return m.receipt, nil
}

// mark finds a producer's newest append: in the group, in memory, on disk.
func (g *group) mark(w *write, l *Log, key string) (mark, bool, error) {
	if m, ok := g.marks[key]; ok {
		return m, true, nil
	}
	if m, ok := g.c.marks.byKey[key]; ok {
		return m, true, nil
	}
	value, err := g.c.store.get(w.ctx, key)
	if errors.Is(err, datastore.ErrNotFound) {
		return mark{}, false, nil
	}
	if err != nil {
		return mark{}, false, err
	}
	m, err := decodeMark(key, value)
	if err != nil {
		return mark{}, false, l.corrupt(edgeistry.Place{}, fmt.Errorf("producer record: %w", err))
	}
	g.c.marks.put(key, m)
	return m, true, nil
}

// entry puts the next entry of a log, after t, and moves t.
func (g *group) entry(l *Log, t *tail, e *Entry) {
	e.Place = edgeistry.Place{Incarnation: t.incarnation, Sequence: t.last + 1}
	e.Prev = t.hash
	e.Hash = edgeistry.ChainHash(l.hint, l.id.Name, e.Place, e.Prev, e.Payload)
	e.Stored = g.c.store.cfg.Now()
	key := entryKey(l.number, e.Place)
	g.put(key, encodeEntry(key, e))
	t.last, t.hash = e.Place.Sequence, e.Hash
}

// finish adds to the batch what is written once a group: its number, heads, and the catalogue
// records of new logs.
func (g *group) finish() {
	g.put(groupKey, encodeGroup(g.c.last+1))
	for l, t := range g.tails {
		key := headKey(l.number)
		g.put(key, encodeTail(key, t))
		if !l.catalogued {
			key := catalogueKey(l.number, l.id)
			g.put(key, seal(key, []byte{valueVersion}))
		}
	}
}

// publish shows what is on disk now to readers.
func (g *group) publish() {
	for key, m := range g.marks {
		g.c.marks.put(key, m)
	}
	g.publishDrops()
	for l, t := range g.tails {
		if !l.catalogued {
			l.catalogued = true
			l.store.mu.Lock()
			l.store.numbers[l.id] = l.number
			l.store.mu.Unlock()
		}
		l.publish(t)
	}
}
