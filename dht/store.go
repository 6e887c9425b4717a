package dht

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"
	"google.golang.org/protobuf/proto"
)

// recordStore is where the DHT keeps the records that other nodes put here. It adds to a datastore
// what a DHT server needs and kad-dht leaves out: quotas and a bound on the records that others can
// make us store, and an end, because handlers of the DHT can still run when it was closed and the
// datastore below may be closed next.
type recordStore struct {
	datastore.Batching
	log   *slog.Logger
	warn  rate.Sometimes // limits warnings about refused records
	stats storeStats

	mu     sync.RWMutex // held for reading by every operation, for writing by those that change what follows
	quota  *quota       // of the records that are not in own
	own    map[datastore.Key]bool
	count  int
	closed bool
}

// storeStats counts what the quotas did since the start.
type storeStats struct {
	refused, evicted atomic.Uint64
}

// ownWrite marks the context of a write of this node's own record: those always fit.
type ownWrite struct{}

func openStore(ctx context.Context, ds datastore.Batching, self peer.ID, limits Limits, log *slog.Logger) (*recordStore, error) {
	results, err := ds.Query(ctx, query.Query{})
	if err != nil {
		return nil, fmt.Errorf("count stored records: %w", err)
	}
	defer results.Close()
	s := &recordStore{
		Batching: ds, log: log, warn: rate.Sometimes{Interval: time.Minute},
		quota: newQuota(self, limits), own: make(map[datastore.Key]bool),
	}
	for result := range results.Next() {
		if result.Error != nil {
			return nil, fmt.Errorf("count stored records: %w", result.Error)
		}
		s.count++
		var rec recpb.Record
		if err := proto.Unmarshal(result.Value, &rec); err == nil {
			s.quota.add(datastore.RawKey(result.Key), rec.GetKey(), splitOrigin(&rec))
		}
	}
	return s, nil
}

func (s *recordStore) Get(ctx context.Context, key datastore.Key) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	value, err := s.Batching.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return withoutOrigin(value), nil
}

// Put stores a record. A new record of another node must fit into the quotas; see quota.
func (s *recordStore) Put(ctx context.Context, key datastore.Key, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	has, err := s.Batching.Has(ctx, key)
	if err != nil {
		return err
	}
	var rec recpb.Record
	if err := proto.Unmarshal(value, &rec); err != nil {
		return fmt.Errorf("store record: %w", err)
	}
	o := splitOrigin(&rec)
	switch {
	case ctx.Value(ownWrite{}) != nil:
		s.own[key] = true
		s.quota.remove(key)
	case s.own[key]:
		// Another home of a service of ours: only who has the service's key can write here.
	case has:
		if o, err = s.moveLocked(ctx, key, &rec, o); err != nil {
			return err
		}
		markOrigin(&rec, o)
		if value, err = proto.Marshal(&rec); err != nil {
			return fmt.Errorf("store record: %w", err)
		}
	default:
		if err := s.makeRoomLocked(ctx, o); err != nil {
			s.stats.refused.Add(1)
			s.warn.Do(func() {
				s.log.Warn("records of another node are refused", "peer", o.peer, "address", o.group, "reason", err)
			})
			return err
		}
	}
	if err := s.Batching.Put(ctx, key, value); err != nil {
		return err
	}
	if !has {
		s.count++
	}
	if !s.own[key] {
		s.quota.add(key, rec.GetKey(), o)
	}
	return nil
}

// makeRoomLocked lets one new record of an origin in, at the cost of another if need be.
func (s *recordStore) makeRoomLocked(ctx context.Context, o origin) error {
	victim, err := s.quota.admit(o)
	if err != nil || victim == (datastore.Key{}) {
		return err
	}
	if err := s.Batching.Delete(ctx, victim); err != nil {
		return fmt.Errorf("make room for a record: %w", err)
	}
	s.quota.remove(victim)
	s.count--
	s.stats.evicted.Add(1)
	return nil
}

// moveLocked returns the origin of a record that replaces the one under a key. A copy stays with
// the node that brought it first, unless a home of the service brings it: otherwise anybody could
// take a record into its own share by putting it again, and then push it out. A newer record
// belongs to the node that brings it, if that has room.
func (s *recordStore) moveLocked(ctx context.Context, key datastore.Key, rec *recpb.Record, o origin) (origin, error) {
	raw, err := s.Batching.Get(ctx, key)
	if err != nil {
		return o, err
	}
	var stored recpb.Record
	if err := proto.Unmarshal(raw, &stored); err != nil {
		return o, nil // kad-dht replaces what does not parse
	}
	before := splitOrigin(&stored)
	if before == o {
		return o, nil
	}
	if bytes.Equal(stored.GetValue(), rec.GetValue()) && !isHome(rec, o.peer) {
		return before, nil
	}
	if !s.quota.hasRoom(o) {
		return before, nil
	}
	return o, nil
}

// isHome reports whether a record, which was validated before, names a node as a home of its
// service.
func isHome(rec *recpb.Record, p peer.ID) bool {
	opened, err := openAnyTime(string(rec.GetKey()), rec.GetValue())
	return err == nil && slices.ContainsFunc(opened.Homes, func(h peer.AddrInfo) bool { return h.ID == p })
}

func (s *recordStore) Delete(ctx context.Context, key datastore.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	has, err := s.Batching.Has(ctx, key)
	if err != nil || !has {
		return err
	}
	if err := s.Batching.Delete(ctx, key); err != nil {
		return err
	}
	s.quota.remove(key)
	s.count--
	return nil
}

// Query returns stored values as Get does, because kad-dht compares the two.
func (s *recordStore) Query(ctx context.Context, q query.Query) (query.Results, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	results, err := s.Batching.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	return query.ResultsFromIterator(q, query.Iterator{
		Next: func() (query.Result, bool) {
			result, ok := results.NextSync()
			if ok && result.Error == nil {
				result.Value = withoutOrigin(result.Value)
			}
			return result, ok
		},
		Close: results.Close,
	}), nil
}

// len returns how many records are stored.
func (s *recordStore) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.count
}

// fence waits for operations under way and refuses all later ones. The datastore below stays open:
// it is the node's.
func (s *recordStore) fence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}
