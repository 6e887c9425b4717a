package dht

import (
	"context"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// feeder brings own records to members that should hold them and do not: those that came after the
// publishing, and those that failed. Each member is served by itself, so that a mute one holds up
// nobody else. It sleeps while nothing is missing.
type feeder struct {
	min, max time.Duration
	missing  func() map[peer.ID][]*ownRecord
	put      func(context.Context, *ownRecord, peer.ID) bool
	wake     chan struct{}
}

// feeding is how it stands with one member.
type feeding struct {
	active   bool
	failures int
	next     time.Time
}

// run feeds until ctx ends, and returns when every attempt has ended.
func (f *feeder) run(ctx context.Context) {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	type result struct {
		member peer.ID
		ok     bool
	}
	results := make(chan result, maxPuts)
	members := make(map[peer.ID]*feeding)
	active := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-timer.C:
		case res := <-results:
			m := members[res.member]
			m.active = false
			active--
			if res.ok {
				m.failures = 0
				break
			}
			m.failures++
			m.next = time.Now().Add(backoff(f.min, f.max, m.failures))
		}
		missing := f.missing()
		for p, m := range members {
			if len(missing[p]) == 0 && !m.active {
				delete(members, p)
			}
		}
		wait, now := time.Duration(0), time.Now()
		for p, records := range missing {
			m := members[p]
			if m == nil {
				m = &feeding{}
				members[p] = m
			}
			if m.active || active == maxPuts {
				continue // its result comes round here
			}
			if left := m.next.Sub(now); left > 0 {
				if wait == 0 || left < wait {
					wait = left
				}
				continue
			}
			m.active = true
			active++
			attempts.Go(func() { results <- result{p, f.feed(ctx, p, records)} })
		}
		timer.Stop()
		if wait > 0 {
			timer.Reset(wait)
		}
	}
}

// feed stores records at one member until one fails.
func (f *feeder) feed(ctx context.Context, p peer.ID, records []*ownRecord) bool {
	for _, o := range records {
		if !f.put(ctx, o, p) {
			return false
		}
	}
	return true
}

// missing returns the connected members that should hold a valid own record and do not, with those
// records.
func (r *Registry) missing() map[peer.ID][]*ownRecord {
	r.mu.Lock()
	owns := make([]*ownRecord, 0, len(r.own))
	for _, o := range r.own {
		owns = append(owns, o)
	}
	r.mu.Unlock()
	missing := make(map[peer.ID][]*ownRecord)
	for _, o := range owns {
		known, ok := r.known.get(o.record.Service)
		if o.record.Valid(r.now()) != nil || ok && known.record.Sequence > o.record.Sequence {
			continue // nobody would take it
		}
		for _, p := range r.near(o.record.Service) {
			r.mu.Lock()
			_, holds := o.holders[p]
			r.mu.Unlock()
			if !holds {
				missing[p] = append(missing[p], o)
			}
		}
	}
	return missing
}
