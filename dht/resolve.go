package dht

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kad "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/edgeistry/edgeistry"
)

// Source is where an Answer comes from.
type Source string

// The sources of answers.
const (
	FromOwn   Source = "own"   // published by this process
	FromMesh  Source = "dht"   // just now from the mesh
	FromCache Source = "cache" // the mesh did not answer in time; the newest record seen, and still valid
)

// Answer is a record with where it comes from and when it was last seen.
type Answer struct {
	Record Record
	From   Source
	Seen   time.Time
}

// flight is a lookup under way and those who wait for it.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiters int
	answer  Answer
	err     error
}

// Resolve returns the newest valid record of a service. Errors: ErrNotFound, ErrExpired when only
// an expired record is known, ErrClosed, or the context's.
func (r *Registry) Resolve(ctx context.Context, id edgeistry.ServiceID) (Record, error) {
	answer, err := r.Lookup(ctx, id)
	return answer.Record, err
}

// Lookup is Resolve that also says where the record comes from. Own services answer at once.
// Lookups of one service at the same time are one lookup; it stops when the last of its callers has
// gone.
func (r *Registry) Lookup(ctx context.Context, id edgeistry.ServiceID) (Answer, error) {
	if answer, ok := r.ownAnswer(id); ok {
		return answer, nil
	}
	f, err := r.joinFlight(id)
	if err != nil {
		return Answer{}, fmt.Errorf("resolve %s: %w", id, err)
	}
	defer r.leaveFlight(id, f)
	select {
	case <-f.done:
		if f.err != nil {
			return Answer{}, fmt.Errorf("resolve %s: %w", id, f.err)
		}
		return f.answer, nil
	case <-ctx.Done():
	}
	// The caller's time is up before the mesh answered: the newest record seen is better than
	// nothing.
	if answer, ok := r.Known(id); ok && answer.Record.Valid(r.now()) == nil {
		return answer, nil
	}
	return Answer{}, fmt.Errorf("resolve %s: %w", id, ctx.Err())
}

// Known returns the newest record seen of a service, without asking anybody. It may have expired:
// see Record.Valid.
func (r *Registry) Known(id edgeistry.ServiceID) (Answer, bool) {
	if answer, ok := r.ownAnswer(id); ok {
		return answer, true
	}
	k, ok := r.known.get(id)
	return Answer{Record: k.record, From: FromCache, Seen: k.seen}, ok
}

// ownAnswer returns a valid own record, unless another home of the service has published a newer
// one.
func (r *Registry) ownAnswer(id edgeistry.ServiceID) (Answer, bool) {
	r.mu.Lock()
	o := r.own[id]
	r.mu.Unlock()
	if o == nil || o.record.Valid(r.now()) != nil {
		return Answer{}, false
	}
	if k, ok := r.known.get(id); ok && k.record.Sequence > o.record.Sequence {
		return Answer{}, false
	}
	return Answer{Record: o.record, From: FromOwn, Seen: r.now()}, true
}

// joinFlight joins the lookup of a service that is under way, or starts one.
func (r *Registry) joinFlight(id edgeistry.ServiceID) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[id]; f != nil {
		f.waiters++
		return f, nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, r.limits.LookupTime)
	f := &flight{done: make(chan struct{}), cancel: cancel, waiters: 1}
	started := r.startLocked(func() {
		defer cancel()
		f.answer, f.err = r.lookup(ctx, id)
		r.mu.Lock()
		if r.flights[id] == f {
			delete(r.flights, id)
		}
		r.mu.Unlock()
		close(f.done)
	})
	if !started {
		cancel()
		return nil, ErrClosed
	}
	r.flights[id] = f
	return f, nil
}

func (r *Registry) leaveFlight(id edgeistry.ServiceID, f *flight) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.waiters--; f.waiters > 0 {
		return
	}
	f.cancel()
	// Who comes now must not join a lookup that was told to stop.
	if r.flights[id] == f {
		delete(r.flights, id)
	}
}

// lookup asks the mesh, and falls back on the newest record seen.
func (r *Registry) lookup(ctx context.Context, id edgeistry.ServiceID) (Answer, error) {
	r.awaitMember(ctx)
	rec, value, err := r.search(ctx, id)
	now := r.now()
	if err == nil {
		if err = r.known.offer(ctx, rec, value, now, false); !errors.Is(err, ErrRollback) {
			if err != nil {
				r.log.Warn("record is not remembered", "service", id, "error", err)
			}
			return Answer{Record: rec, From: FromMesh, Seen: now}, nil
		}
	}
	if k, ok := r.known.get(id); ok {
		if err := k.record.Valid(now); err != nil {
			return Answer{}, err
		}
		return Answer{Record: k.record, From: FromCache, Seen: k.seen}, nil
	}
	if r.ctx.Err() != nil {
		return Answer{}, ErrClosed
	}
	return Answer{}, err
}

// awaitMember waits for the first member of the mesh, for a moment, if none is connected and some
// are being dialled: a node that has just started should not say that a service does not exist.
func (r *Registry) awaitMember(ctx context.Context) {
	timer := time.NewTimer(r.limits.ArrivalTime)
	defer timer.Stop()
	for {
		r.mu.Lock()
		arrived := r.arrived
		r.mu.Unlock()
		ended, pending := r.dialer.pending()
		if len(r.Peers()) > 0 || !pending {
			return
		}
		select {
		case <-arrived:
		case <-ended:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// search asks the mesh for the best record of a service. After the first record it waits only for a
// moment for a better one, so that a dead node in the routing table does not hold everybody up.
func (r *Registry) search(ctx context.Context, id edgeistry.ServiceID) (Record, []byte, error) {
	// kad-dht's search leaks its goroutines unless its context is cancelled.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found, err := r.kad.SearchValue(ctx, Key(id), kad.Quorum(0))
	if err != nil {
		return Record{}, nil, fmt.Errorf("search: %w", err)
	}
	var best []byte
	var settled <-chan time.Time
collect:
	for {
		select {
		case value, ok := <-found:
			if !ok {
				break collect
			}
			if best == nil {
				timer := time.NewTimer(r.limits.SettleTime)
				defer timer.Stop()
				settled = timer.C
			}
			best = value
		case <-settled:
			break collect
		case <-ctx.Done():
			break collect
		}
	}
	if best == nil && ctx.Err() == nil && r.kad.RoutingTable().Size() == 0 {
		best = r.askMembers(ctx, id)
	}
	if best == nil {
		if len(r.Peers()) == 0 {
			return Record{}, nil, fmt.Errorf("%w: no node of mesh %s is connected", ErrNotFound, r.mesh)
		}
		if err := ctx.Err(); err != nil {
			return Record{}, nil, fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		return Record{}, nil, ErrNotFound
	}
	rec, err := Open(Key(id), best, r.now())
	return rec, best, err
}

// askMembers asks connected members directly, when none of them has made it into the routing table
// yet.
func (r *Registry) askMembers(ctx context.Context, id edgeistry.ServiceID) []byte {
	members := r.Peers()
	if len(members) > r.kad.BucketSize() {
		members = members[:r.kad.BucketSize()]
	}
	values := make([][]byte, len(members))
	var wg sync.WaitGroup
	for i, p := range members {
		wg.Go(func() { values[i] = r.ask(ctx, p, id) })
	}
	wg.Wait()
	validator := guard{Validator{Now: r.now}, r.known}
	best, err := validator.Select(Key(id), values)
	if err != nil || validator.Validate(Key(id), values[best]) != nil {
		return nil
	}
	return values[best]
}

func (r *Registry) ask(ctx context.Context, p peer.ID, id edgeistry.ServiceID) []byte {
	rec, _, err := r.messenger.GetValue(ctx, p, Key(id))
	if err != nil || rec == nil {
		return nil
	}
	return rec.GetValue()
}
