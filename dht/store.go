package dht

import (
	"context"
	"fmt"
	"sync"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// recordStore is where the DHT keeps the records that other nodes put here. It adds to a datastore what a DHT server
// needs and kad-dht leaves out: a bound on how many records others can make us store, and an end, because handlers of
// the DHT can still run when it was closed and the datastore below may be closed next.
type recordStore struct {
	datastore.Batching
	max int

	mu     sync.RWMutex // held for reading by every operation, for writing by those that change count
	count  int
	closed bool
}

// ownWrite marks the context of a write of this node's own record: those always fit.
type ownWrite struct{}

func openStore(ctx context.Context, ds datastore.Batching, limit int) (*recordStore, error) {
	results, err := ds.Query(ctx, query.Query{KeysOnly: true})
	if err != nil {
		return nil, fmt.Errorf("count stored records: %w", err)
	}
	defer results.Close()
	s := &recordStore{Batching: ds, max: limit}
	for result := range results.Next() {
		if result.Error != nil {
			return nil, fmt.Errorf("count stored records: %w", result.Error)
		}
		s.count++
	}
	return s, nil
}

func (s *recordStore) Get(ctx context.Context, key datastore.Key) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.Batching.Get(ctx, key)
}

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
	if !has && s.count >= s.max && ctx.Value(ownWrite{}) == nil {
		return ErrFull
	}
	if err := s.Batching.Put(ctx, key, value); err != nil {
		return err
	}
	if !has {
		s.count++
	}
	return nil
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
	s.count--
	return nil
}

func (s *recordStore) Query(ctx context.Context, q query.Query) (query.Results, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	return s.Batching.Query(ctx, q)
}

// len gives how many records are stored.
func (s *recordStore) len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.count
}

// fence waits for operations under way and refuses all later ones. The datastore below stays open: it is the node's.
func (s *recordStore) fence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}
