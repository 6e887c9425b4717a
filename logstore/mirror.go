package logstore

import (
	"errors"
	"fmt"

	"github.com/edgeistry/edgeistry"
)

// mirror is a Mirror call on its way to the committer.
type mirror struct {
	log      *Log
	prev     edgeistry.Hash
	first    edgeistry.Place
	payloads [][]byte
}

func (g *group) mirror(w *write) (int, error) {
	m := w.mirror
	l := m.log
	if err := l.Err(); err != nil {
		return 0, err
	}
	t := l.snapshot()
	if !t.empty() && !t.mirrored {
		return 0, fmt.Errorf("mirror %s: %w: this node appends to it", l.id, ErrKind)
	}
	if m.first.Sequence == 1 && m.prev != (edgeistry.Hash{}) {
		return 0, &ForkError{Log: l.id, At: edgeistry.Place{Incarnation: m.first.Incarnation}, Got: m.prev}
	}
	stored := 0
	at, hash := m.first, m.prev
	for _, payload := range m.payloads {
		if !t.empty() && !before(t.end(), at) {
			hash = edgeistry.ChainHash(l.hint, l.id.Name, at, hash, payload)
			if err := l.compare(w, at, hash); err != nil {
				return 0, err
			}
		} else {
			e := Entry{Payload: payload}
			switch {
			case t.empty() || at.Incarnation != t.incarnation || at.Sequence != t.last+1:
				e.Gap = g.startRun(l, &t, at, hash)
			case hash != t.hash:
				return 0, &ForkError{Log: l.id, At: t.end(), Have: t.hash, Got: hash}
			}
			g.entry(l, &t, &e)
			hash = t.hash
			stored++
		}
		at.Sequence++
	}
	if stored > 0 {
		g.setTail(l, t)
	}
	return stored, nil
}

// startRun closes the newest run and begins the next before at. It reports whether entries are
// missing between them.
func (g *group) startRun(l *Log, t *tail, at edgeistry.Place, prev edgeistry.Hash) bool {
	gap := at.Sequence != 1
	oldest := at.Sequence
	if !t.empty() {
		key := runKey(l.number, t.ordinal)
		g.put(key, encodeRun(key, t.run))
		t.ordinal++
		if at.Incarnation == t.incarnation {
			oldest = t.oldest
		}
	}
	t.run = run{incarnation: at.Incarnation, first: at.Sequence, last: at.Sequence - 1, hash: prev}
	t.oldest, t.mirrored = oldest, true
	return gap
}

// compare checks a mirrored entry against the kept one. Where none is kept there is nothing to
// compare.
func (l *Log) compare(w *write, at edgeistry.Place, hash edgeistry.Hash) error {
	have, err := l.entry(w.ctx, at)
	if errors.Is(err, ErrNotKept) {
		return nil
	}
	if err != nil {
		return err
	}
	if have.Hash != hash {
		return &ForkError{Log: l.id, At: at, Have: have.Hash, Got: hash}
	}
	return nil
}
