package node

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/logstore"
)

// How often a copied log is asked for news.
const (
	minPullInterval   = 250 * time.Millisecond // of another node
	maxFollowInterval = 10 * time.Second
	idleFollow        = 2 * time.Second // of a log that does not grow by itself
	firstRetry        = time.Second     // after a failure; doubles
	lastRetry         = 10 * time.Second
	maxRounds         = 256 // reads in a row while there is more
)

// follower keeps the copy of one log: it reads what follows the last stored entry, from the service itself (at its home node) or
// from the mirror at a home node (elsewhere), and stores each entry once. It holds no place of its own: the stored log
// is the place, so it resumes after any stop.
type follower struct {
	service edgeistry.ServiceID
	name    string
	log     *logstore.Log
	ask     func(ctx context.Context, m *coap.Message) (*client.Result, error)
	count   uint8 // entries to ask for at once; 0: as many as fit
	isCopy  bool  // of another node's copy or log, which never ends before this one unless it was restored from a backup
	wait    uint8 // seconds to let the other node wait for news; 0: the service answers at once

	current atomic.Int64 // when it was last brought up to date, in unix seconds; 0: not in this start of the node
}

// catchUp reads until there is nothing more, and says how many entries were stored.
func (f *follower) catchUp(ctx context.Context) (stored int, err error) {
	for range maxRounds {
		n, more, err := f.once(ctx)
		stored += n
		if err != nil || !more {
			return stored, err
		}
	}
	return stored, nil
}

// once makes one read. more: there were new entries, so there may be more of them.
func (f *follower) once(ctx context.Context) (stored int, more bool, err error) {
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/l/" + f.name); err != nil {
		return 0, false, err
	}
	q := coap.Query{HasAfter: true, After: f.log.Head().Place}
	if f.count > 0 {
		q.HasCount, q.Count = true, f.count
	}
	q.Wait = f.wait
	m.SetQuery(q)
	res, err := f.ask(ctx, m)
	if err != nil {
		return 0, false, err
	}
	r, err := coap.DecodeRange(res.Response.Payload)
	if err != nil {
		return 0, false, fmt.Errorf("log %s: %w", f.name, err)
	}
	if len(r.Entries) == 0 {
		return 0, false, f.compare(r)
	}
	stored, err = f.log.Mirror(ctx, r.Previous, edgeistry.Place{Incarnation: r.Incarnation, Sequence: r.First}, r.Entries)
	if err != nil {
		return stored, false, fmt.Errorf("keep the copy of log %s: %w", f.name, err)
	}
	return stored, stored > 0, nil
}

// compare checks what the source says of its head, where it has nothing new, against the copy: a source that ends before the copy, or with
// another entry, has another history.
func (f *follower) compare(r coap.Range) error {
	head := f.log.Head()
	if !f.isCopy || head.Sequence == 0 || r.Incarnation != head.Incarnation {
		return nil
	}
	switch {
	case r.First <= head.Sequence, r.First == head.Sequence+1 && r.Previous != head.Hash:
		at := edgeistry.Place{Incarnation: r.Incarnation, Sequence: r.First - 1}
		return &logstore.ForkError{Log: f.log.ID(), At: at, Have: head.Hash, Got: r.Previous}
	}
	return nil
}

// followInterval derives from a log's own period how often it is asked for news.
func followInterval(period uint32, shortest time.Duration) time.Duration {
	every := idleFollow
	if period > 0 {
		every = time.Duration(period) * time.Second / 4
	}
	return min(max(every, shortest), max(maxFollowInterval, shortest))
}

// permanent says whether asking again soon is of no use: the answer was a refusal that carries proof, or the copy contradicts it.
func permanent(err error) bool {
	var denied *client.Denied
	var fork *logstore.ForkError
	var corrupt *logstore.CorruptError
	return (errors.As(err, &denied) && denied.ByDevice) || errors.As(err, &fork) || errors.As(err, &corrupt) || errors.Is(err, logstore.ErrKind)
}

// wait sleeps, and says whether the time passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// retryDelay doubles with each failure in a row.
func retryDelay(failures int) time.Duration {
	return min(firstRetry<<min(max(failures-1, 0), 10), lastRetry)
}
