package logstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/edgeistry/edgeistry"
	"github.com/ipfs/go-datastore"
)

// Log is one log of a store. It is safe for concurrent use and needs no closing.
type Log struct {
	store  *Store
	id     LogID
	hint   [4]byte
	number uint32

	catalogued bool // the catalogue record is on disk or in the group; the committer's

	mu      sync.Mutex
	tail    tail          // acknowledged
	err     error         // why appends are refused
	changed chan struct{} // closed at the next append
}

func newLog(s *Store, id LogID, number uint32) *Log {
	return &Log{store: s, id: id, hint: id.Service.Hint(), number: number, changed: make(chan struct{})}
}

// load reads the head of a log on disk and checks it against the newest entry.
func (l *Log) load(ctx context.Context) error {
	key := headKey(l.number)
	value, err := l.store.get(ctx, key)
	if errors.Is(err, datastore.ErrNotFound) {
		return l.corrupt(edgeistry.Place{}, errors.New("head record is missing"))
	}
	if err != nil {
		return fmt.Errorf("open log %s: %w", l.id, err)
	}
	t, err := decodeTail(key, value)
	if err != nil {
		return l.corrupt(edgeistry.Place{}, fmt.Errorf("head record: %w", err))
	}
	l.tail, l.catalogued = t, true

	e, err := l.entry(ctx, t.end())
	if err == nil && e.Hash != t.hash {
		err = l.corrupt(t.end(), errors.New("newest entry is not the one that the head names"))
	}
	var corrupt *CorruptError
	if err != nil && !errors.As(err, &corrupt) {
		return fmt.Errorf("open log %s: %w", l.id, err)
	}
	return nil
}

// ID names the log.
func (l *Log) ID() LogID { return l.id }

// Head returns the newest acknowledged place. Of a log without entries it is the zero Head.
func (l *Log) Head() edgeistry.Head { return l.snapshot().head() }

// Mirrored reports whether the log is a copy, written by Mirror.
func (l *Log) Mirrored() bool { return l.snapshot().mirrored }

// Err reports why the log refuses appends (a *CorruptError), or nil.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// Changed returns a channel that is closed at the next append. Take it before reading, so that no
// append is missed.
func (l *Log) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *Log) snapshot() tail {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tail
}

// publish makes an acknowledged tail visible.
func (l *Log) publish(t tail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = t
	close(l.changed)
	l.changed = make(chan struct{})
}

// corrupt reports damage once and stops appends to the log.
func (l *Log) corrupt(at edgeistry.Place, cause error) error {
	err := &CorruptError{Log: l.id, At: at, Detail: cause.Error()}
	l.mu.Lock()
	first := l.err == nil
	if first {
		l.err = err
	}
	l.mu.Unlock()
	if first {
		l.store.cfg.Logger.Error("log is corrupt, appends to it are refused", "log", l.id,
			"incarnation", at.Incarnation, "sequence", at.Sequence, "error", cause)
	}
	return err
}

// AppendRequest is one entry to append.
type AppendRequest struct {
	Producer    string  // at most MaxProducer bytes; empty: no idempotency
	ProducerSeq uint64  // ascends with each new entry of a producer; the same again is a retry
	Payload     []byte  // at most MaxPayload bytes
	Expect      *uint32 // append only if this is the head's sequence (0: only to an empty log)
}

func (r *AppendRequest) check() error {
	if len(r.Payload) > MaxPayload {
		return fmt.Errorf("payload of %d bytes: %w: at most %d", len(r.Payload), ErrTooLarge, MaxPayload)
	}
	if len(r.Producer) > MaxProducer {
		return fmt.Errorf("producer name of %d bytes: %w: at most %d", len(r.Producer), ErrTooLarge, MaxProducer)
	}
	return nil
}

// Receipt is the place of an entry. It never changes.
type Receipt struct {
	Place edgeistry.Place
	Hash  edgeistry.Hash
}

// Append adds an entry and returns when it is on disk. The log's incarnation is 1.
//
// A repeated (Producer, ProducerSeq) gives the receipt of the first append and writes nothing; a
// producer sequence below the producer's newest, or the same with another payload, is ErrProducer.
// Errors: *ConflictError, *CorruptError, ErrProducer, ErrTooLarge, ErrKind, ErrClosed, ErrStopped.
// If ctx ends first the entry may still be stored.
func (l *Log) Append(ctx context.Context, r AppendRequest) (Receipt, error) {
	receipts, err := l.store.Commit(ctx, Transaction{Appends: []Append{{Log: l, AppendRequest: r}}})
	if err != nil {
		return Receipt{}, err
	}
	return receipts[0], nil
}

// Limits of one Mirror call.
const (
	MaxMirrorEntries = 1024
	MaxMirrorBytes   = 1 << 20
)

// Mirror stores entries of a log that is written elsewhere: payloads, the first of which stands at
// first, after an entry with chain hash prev (zero before sequence 1). It returns, when they are on
// disk, how many were new.
//
// What is kept already is compared and not stored again; what lies before the head and is not kept
// is passed over. If entries between the head and first are missing, the first one stored has its
// Gap flag set. A higher incarnation starts a new chain; a chain hash that contradicts a kept one
// is a *ForkError, and nothing is stored.
func (l *Log) Mirror(ctx context.Context, prev edgeistry.Hash, first edgeistry.Place, payloads [][]byte) (int, error) {
	if first.Incarnation == 0 || first.Sequence == 0 || uint64(first.Sequence)+uint64(len(payloads)) > 1<<32 {
		return 0, fmt.Errorf("mirror %s: no entries stand at %d.%d", l.id, first.Incarnation, first.Sequence)
	}
	size := 0
	for _, p := range payloads {
		size += len(p)
		if len(p) > MaxPayload {
			return 0, fmt.Errorf("mirror %s: payload of %d bytes: %w", l.id, len(p), ErrTooLarge)
		}
	}
	if len(payloads) > MaxMirrorEntries || size > MaxMirrorBytes {
		return 0, fmt.Errorf("mirror %s: %d entries of %d bytes in one call: %w", l.id, len(payloads), size, ErrTooLarge)
	}
	result, err := l.store.committer.submit(ctx, &write{mirror: &mirror{log: l, prev: prev, first: first, payloads: payloads}})
	return result.stored, err
}
