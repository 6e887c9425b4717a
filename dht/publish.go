package dht

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p-kad-dht/records"
	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p-record"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/edgeistry/edgeistry"
)

// ownRecord is a record that this process published.
type ownRecord struct {
	record  Record
	value   []byte
	holders map[peer.ID]struct{} // connected peers that said that they stored this value
	settled bool                 // published, and no node knew a newer one
}

// maxPuts bounds how many nodes are asked to store at once.
const maxPuts = 16

// Publish signs a record and stores it here and at the nodes closest to its key. It gives the
// number of other nodes that said that they stored it. 0 and no error means that no other node has
// it yet: it resolves here at once, and is put again as peers arrive.
//
// Fields left zero are filled in: Service from the key, NotBefore with now, Expiry with a day
// later, Sequence with the one after the highest known. With a Sequence of the caller's,
// ErrRollback reports that a higher one is known.
func (r *Registry) Publish(ctx context.Context, priv crypto.PrivKey, rec Record) (acks int, err error) {
	if rec.Service == (edgeistry.ServiceID{}) {
		raw, err := priv.GetPublic().Raw()
		if err != nil {
			return 0, fmt.Errorf("publish: %w", err)
		}
		if rec.Service, err = edgeistry.ServiceIDFromBytes(raw); err != nil {
			return 0, fmt.Errorf("publish: %w", err)
		}
	}
	if rec.NotBefore.IsZero() {
		rec.NotBefore = r.now()
	}
	if rec.Expiry.IsZero() {
		rec.Expiry = rec.NotBefore.Add(validity)
	}
	auto := rec.Sequence == 0
	// Another home of the service may have published since: then the mesh refuses ours, and the
	// next number is higher.
	const attempts = 3
	for range attempts {
		o, err := r.keep(ctx, priv, rec, auto)
		if err != nil {
			return 0, fmt.Errorf("publish %s: %w", rec.Service, err)
		}
		asked, stored := r.spread(ctx, o)
		signal(r.feed)
		if stored == asked || ctx.Err() != nil {
			r.settle(o)
			return stored, nil
		}
		newer, err := r.superseded(ctx, o)
		if err != nil {
			return stored, fmt.Errorf("publish %s: %w", rec.Service, err)
		}
		if !newer {
			r.settle(o)
			return stored, nil
		}
		if !auto {
			return stored, fmt.Errorf("publish %s: %w", rec.Service, ErrRollback)
		}
	}
	return 0, fmt.Errorf("publish %s: %w: another node publishes it too", rec.Service, ErrRollback)
}

// settle records that no node knows a newer record than an own one: one that shows up later is
// another node's.
func (r *Registry) settle(o *ownRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.settled = true
}

// keep seals a record and stores it on this node.
func (r *Registry) keep(ctx context.Context, priv crypto.PrivKey, rec Record, auto bool) (*ownRecord, error) {
	r.publishing.Lock()
	defer r.publishing.Unlock()
	if r.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if err := r.learnStored(ctx, rec.Service); err != nil {
		return nil, err
	}
	if auto {
		rec.Sequence = 1
		if k, ok := r.known.get(rec.Service); ok {
			rec.Sequence = k.record.Sequence + 1
		}
	}
	value, err := Seal(priv, rec)
	if err != nil {
		return nil, err
	}
	// What is kept is what others read: seconds, no monotonic clock.
	if rec, err = Open(Key(rec.Service), value, r.now()); err != nil {
		return nil, err
	}
	if err := r.known.offer(ctx, rec, value, r.now(), true); err != nil {
		return nil, err
	}
	key := Key(rec.Service)
	put := record.MakePutRecord(key, value)
	if err := r.values.Put(context.WithValue(ctx, ownWrite{}, true), key, put); err != nil {
		// A better record of the same sequence can have come in since learnStored.
		if errors.Is(err, records.ErrOldRecord) {
			return nil, ErrRollback
		}
		return nil, fmt.Errorf("store record: %w", err)
	}
	o := &ownRecord{record: rec, value: value, holders: make(map[peer.ID]struct{})}
	r.mu.Lock()
	if before := r.own[rec.Service]; before != nil {
		o.settled = before.settled // a newer record that refuses this one came after the one before
	}
	r.own[rec.Service] = o
	r.mu.Unlock()
	return o, nil
}

// learnStored remembers a record of the service that another home has put into our part of the DHT.
func (r *Registry) learnStored(ctx context.Context, id edgeistry.ServiceID) error {
	stored, err := r.values.Get(ctx, Key(id))
	if err != nil {
		return fmt.Errorf("read stored record: %w", err)
	}
	if stored == nil {
		return nil
	}
	rec, err := Open(Key(id), stored.GetValue(), r.now())
	if err != nil {
		return nil // expired, most likely: it does not matter any more
	}
	r.noticeTwin(&rec, stored.GetValue())
	if err := r.known.offer(ctx, rec, stored.GetValue(), r.now(), true); err != nil && !errors.Is(err, ErrRollback) {
		return err
	}
	return nil
}

// spread stores a record at the nodes closest to its key and gives how many were asked and how many
// stored it.
func (r *Registry) spread(ctx context.Context, o *ownRecord) (asked, stored int) {
	lookup, cancel := context.WithTimeout(ctx, r.limits.LookupTime)
	defer cancel()
	closest, err := r.kad.GetClosestPeers(lookup, Key(o.record.Service))
	if err != nil && !errors.Is(err, kbucket.ErrLookupFailure) {
		r.log.Debug("lookup for publishing ended early", "service", o.record.Service, "error", err)
	}
	// A peer that has just arrived is not in the routing table yet.
	for _, p := range r.near(o.record.Service) {
		if !slices.Contains(closest, p) && len(closest) < r.kad.BucketSize() {
			closest = append(closest, p)
		}
	}
	return len(closest), r.put(ctx, o, closest)
}

// put asks nodes to store a record and returns how many said that they did. kad-dht's PutValue is not
// used because it reports success when every node failed.
func (r *Registry) put(ctx context.Context, o *ownRecord, to []peer.ID) int {
	var stored atomic.Int64
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxPuts)
	for _, p := range to {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if r.putAt(ctx, o, p) {
				stored.Add(1)
			}
		})
	}
	wg.Wait()
	return int(stored.Load())
}

// putAt reports whether a node said that it stored a record.
func (r *Registry) putAt(ctx context.Context, o *ownRecord, p peer.ID) bool {
	ctx, cancel := context.WithTimeout(ctx, r.limits.PutTime)
	defer cancel()
	if err := r.messenger.PutValue(ctx, p, record.MakePutRecord(Key(o.record.Service), o.value)); err != nil {
		r.log.Debug("record not stored", "service", o.record.Service, "peer", p, "error", err)
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if online(r.h, p) {
		o.holders[p] = struct{}{}
	}
	return true
}

// superseded looks whether the mesh has a newer record than the own one, and remembers it.
func (r *Registry) superseded(ctx context.Context, o *ownRecord) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limits.LookupTime)
	defer cancel()
	rec, value, err := r.search(ctx, o.record.Service)
	if err != nil || compare(&rec, value, &o.record, o.value) <= 0 {
		return false, nil
	}
	r.noticeTwin(&rec, value)
	return true, r.known.offer(ctx, rec, value, r.now(), true)
}

// near returns the connected members that are among the closest to a service's key, as far as this
// node knows. In a mesh of fewer nodes than a bucket holds that is all of them.
func (r *Registry) near(id edgeistry.ServiceID) []peer.ID {
	members := r.Peers()
	table := r.kad.RoutingTable()
	if table.Size() < r.kad.BucketSize() {
		return members
	}
	closest := table.NearestPeers(kbucket.ConvertKey(Key(id)), r.kad.BucketSize())
	return slices.DeleteFunc(members, func(p peer.ID) bool { return !slices.Contains(closest, p) })
}
