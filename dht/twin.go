package dht

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry"
)

// Twin is what is known of another node that runs with this node's identity: a copy of its state
// directory, most likely. Both publish records of the same services under the same peer ID, so
// others reach now one and now the other.
type Twin struct {
	Since time.Time // when it was noticed first
	Seen  time.Time // when it was noticed last
	Addrs []ma.Multiaddr
}

// twinPause is how long a Twin that shows no more is remembered, and how often this node publishes
// its own records for the other to notice it, too.
const twinPause = 10 * time.Minute

// noticeTwin looks at a record of a service that this node publishes and reports whether it shows a
// twin. Nobody else can name this node as a home and sign with the service's key. A record of an
// earlier run of this node shows none: it was made before this run began.
func (r *Registry) noticeTwin(rec *Record, value []byte) bool {
	i := slices.IndexFunc(rec.Homes, func(h peer.AddrInfo) bool { return h.ID == r.h.ID() })
	if i < 0 || rec.NotBefore.Before(r.began.Truncate(time.Second)) {
		return false
	}
	r.mu.Lock()
	o := r.own[rec.Service]
	if o == nil || !o.settled || rec.Sequence < o.record.Sequence || bytes.Equal(value, o.value) {
		r.mu.Unlock()
		return false
	}
	now := r.now()
	first := r.twin == nil || now.Sub(r.twin.Seen) > twinPause
	if first {
		r.twin = &Twin{Since: now}
	}
	r.twin.Seen, r.twin.Addrs = now, rec.Homes[i].Addrs
	tell := r.onTwin
	r.mu.Unlock()
	if first {
		r.log.Error("another node runs with this node's identity", "node", r.h.ID(), "addresses", rec.Homes[i].Addrs)
		if tell != nil {
			tell()
		}
	}
	return true
}

// Twin returns what is known of another node with this node's identity, if it was noticed lately.
func (r *Registry) Twin() (Twin, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.twin == nil || r.now().Sub(r.twin.Seen) > twinPause {
		return Twin{}, false
	}
	return *r.twin, true
}

// seekTwin asks a node now and then for one of this node's own records, until ctx ends. A twin that
// published it shows.
func (r *Registry) seekTwin(ctx context.Context) {
	tick := time.NewTicker(r.limits.TwinTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		id, holder, ok := r.anyHolder()
		if !ok {
			continue
		}
		ask, cancel := context.WithTimeout(ctx, r.limits.PutTime)
		value := r.ask(ask, holder, id)
		cancel()
		rec, err := Open(Key(id), value, r.now())
		if err != nil {
			continue
		}
		if r.noticeTwin(&rec, value) {
			if err := r.known.offer(ctx, rec, value, r.now(), true); err != nil {
				r.log.Debug("record of the other node is not remembered", "service", id, "error", err)
			}
		}
	}
}

// anyHolder returns one of this node's own records and a node that stores it, by chance.
func (r *Registry) anyHolder() (id edgeistry.ServiceID, holder peer.ID, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := 0
	for service, o := range r.own {
		for p := range o.holders {
			if seen++; rand.IntN(seen) == 0 {
				id, holder, ok = service, p, true
			}
		}
	}
	return id, holder, ok
}
