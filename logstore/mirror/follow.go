// Package mirror keeps the copy of a log: it reads what is new from the service that has the log, or from another node's
// copy, and stores each entry once. It knows no network: it asks through a func of its caller.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/internal/retry"
	"github.com/edgeistry/edgeistry/logstore"
)

// How often a copied log is asked for news.
const (
	MinInterval = 250 * time.Millisecond // of another node
	MaxInterval = 10 * time.Second
	Idle        = 2 * time.Second // of a log that does not grow by itself
	maxRounds   = 256             // reads in a row while there is more
)

// Retry is how long to wait after a read that failed.
var Retry = retry.Backoff{First: time.Second, Last: 10 * time.Second}

// Log is the copy. *logstore.Log is one.
type Log interface {
	ID() logstore.LogID
	Head() edgeistry.Head
	Mirror(ctx context.Context, prev edgeistry.Hash, first edgeistry.Place, payloads [][]byte) (stored int, err error)
}

// Ask makes one request to who has the log, and returns its proven answer.
type Ask func(ctx context.Context, m *coap.Message) (*client.Result, error)

// Follower keeps the copy of one log: it reads what follows the last stored entry, from the service itself (at its home node)
// or from the mirror at a home node (elsewhere). It holds no place of its own: the stored log is the place, so it resumes after
// any stop.
type Follower struct {
	Log Log
	Ask Ask
	// OfCopy is set if another node answers, from its copy or its own log. It never ends before this copy unless it was
	// restored from a backup.
	OfCopy bool

	wait    uint8        // seconds to let the other node wait for news; 0: the service answers at once
	current atomic.Int64 // when it was last brought up to date, in unix seconds; 0: not yet
}

// Name returns the log's name.
func (f *Follower) Name() string { return f.Log.ID().Name }

// Current returns when CatchUp last found nothing more, or the zero time.
func (f *Follower) Current() time.Time {
	at := f.current.Load()
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(at, 0)
}

// CatchUp reads until there is nothing more, and returns how many entries it stored.
func (f *Follower) CatchUp(ctx context.Context) (stored int, err error) {
	for range maxRounds {
		n, more, err := f.once(ctx)
		stored += n
		if err != nil {
			return stored, err
		}
		if !more {
			break
		}
	}
	f.current.Store(time.Now().Unix())
	return stored, nil
}

// once makes one read. more says that there were new entries, so there may be more of them.
func (f *Follower) once(ctx context.Context) (stored int, more bool, err error) {
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/l/" + f.Name()); err != nil {
		return 0, false, err
	}
	m.SetQuery(coap.Query{HasAfter: true, After: f.Log.Head().Place, Wait: f.wait})
	res, err := f.Ask(ctx, m)
	if err != nil {
		return 0, false, err
	}
	r, err := coap.DecodeRange(res.Response.Payload)
	if err != nil {
		return 0, false, fmt.Errorf("log %s: %w", f.Name(), err)
	}
	if len(r.Entries) == 0 {
		return 0, false, f.compare(r)
	}
	stored, err = f.Log.Mirror(ctx, r.Previous, edgeistry.Place{Incarnation: r.Incarnation, Sequence: r.First}, r.Entries)
	if err != nil {
		return stored, false, fmt.Errorf("keep the copy of log %s: %w", f.Name(), err)
	}
	return stored, stored > 0, nil
}

// compare checks what the source says of its head, where it has nothing new, against the copy: a source that ends before the
// copy, or with another entry, has another history.
func (f *Follower) compare(r coap.Range) error {
	head := f.Log.Head()
	if !f.OfCopy || head.Sequence == 0 || r.Incarnation != head.Incarnation {
		return nil
	}
	if r.First <= head.Sequence || r.First == head.Sequence+1 && r.Previous != head.Hash {
		at := edgeistry.Place{Incarnation: r.Incarnation, Sequence: r.First - 1}
		return &logstore.ForkError{Log: f.Log.ID(), At: at, Have: head.Hash, Got: r.Previous}
	}
	return nil
}

// Interval derives from a log's own period, in seconds, how often it is asked for news.
func Interval(period uint32, shortest time.Duration) time.Duration {
	every := Idle
	if period > 0 {
		every = time.Duration(period) * time.Second / 4
	}
	return min(max(every, shortest), max(MaxInterval, shortest))
}

// Permanent reports whether asking again soon is of no use: the answer was a refusal that carries proof, or the copy
// contradicts it.
func Permanent(err error) bool {
	var denied *client.Denied
	var corrupt *logstore.CorruptError
	return errors.As(err, &denied) && denied.ByDevice || isFork(err) || errors.As(err, &corrupt) || errors.Is(err, logstore.ErrKind)
}

func isFork(err error) bool {
	var fork *logstore.ForkError
	return errors.As(err, &fork)
}
