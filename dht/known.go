package dht

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"

	"github.com/edgeistry/edgeistry"
)

// knownRecords is the newest record seen of each service that this node published or resolved. It
// only moves forward, and it is on disk, so that nobody can roll a service back by showing an old
// record. What other nodes put into our part of the DHT does not enter it: they could push out what
// we rely on.
type knownRecords struct {
	ds  datastore.Batching
	max int

	mu      sync.Mutex
	entries map[edgeistry.ServiceID]*knownRecord
}

type knownRecord struct {
	record Record
	value  []byte
	seen   time.Time
	own    bool // published by this process: never forgotten
}

// openKnown reads what an earlier run stored. An entry that does not open is dropped: disk is not
// trusted more than the network.
func openKnown(ctx context.Context, ds datastore.Batching, limit int, log *slog.Logger) (*knownRecords, error) {
	k := &knownRecords{ds: ds, max: limit, entries: make(map[edgeistry.ServiceID]*knownRecord)}
	results, err := ds.Query(ctx, query.Query{})
	if err != nil {
		return nil, fmt.Errorf("read known records: %w", err)
	}
	defer results.Close()
	for result := range results.Next() {
		if result.Error != nil {
			return nil, fmt.Errorf("read known records: %w", result.Error)
		}
		id, err := edgeistry.ParseServiceID(datastore.RawKey(result.Key).BaseNamespace())
		if err == nil {
			var rec Record
			if rec, err = openAnyTime(Key(id), result.Value); err == nil {
				k.entries[id] = &knownRecord{record: rec, value: result.Value, seen: rec.NotBefore}
				continue
			}
		}
		log.Warn("dropped a stored service record that does not open", "key", result.Key, "error", err)
		if err := ds.Delete(ctx, datastore.RawKey(result.Key)); err != nil {
			return nil, fmt.Errorf("drop known record: %w", err)
		}
	}
	return k, nil
}

func (k *knownRecords) get(id edgeistry.ServiceID) (knownRecord, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e := k.entries[id]; e != nil {
		return *e, true
	}
	return knownRecord{}, false
}

// refuses reports whether a record is older than the one known.
func (k *knownRecords) refuses(rec *Record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.refusesLocked(rec)
}

func (k *knownRecords) refusesLocked(rec *Record) error {
	if e := k.entries[rec.Service]; e != nil && rec.Sequence < e.record.Sequence {
		return fmt.Errorf("%w: sequence %d, known %d", ErrRollback, rec.Sequence, e.record.Sequence)
	}
	return nil
}

// offer takes a record that was opened, if it is not older than the one known, and stores it if it
// is newer.
func (k *knownRecords) offer(ctx context.Context, rec Record, value []byte, seen time.Time, own bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refusesLocked(&rec); err != nil {
		return err
	}
	e := k.entries[rec.Service]
	if e != nil && compare(&rec, value, &e.record, e.value) <= 0 {
		e.seen = seen
		e.own = e.own || own
		return nil
	}
	if e == nil {
		if err := k.makeRoomLocked(ctx); err != nil {
			return err
		}
	}
	key := datastore.NewKey(rec.Service.String())
	if err := k.ds.Put(ctx, key, value); err != nil {
		return fmt.Errorf("store known record: %w", err)
	}
	// An own sequence number that came back after a power cut would be published twice with
	// different content.
	if own {
		if err := k.ds.Sync(ctx, key); err != nil {
			return fmt.Errorf("store known record: %w", err)
		}
	}
	k.entries[rec.Service] = &knownRecord{record: rec, value: value, seen: seen, own: own || (e != nil && e.own)}
	return nil
}

// makeRoomLocked forgets the record not seen for longest, when as many are known as may be.
func (k *knownRecords) makeRoomLocked(ctx context.Context) error {
	if len(k.entries) < k.max {
		return nil
	}
	var oldest *knownRecord
	for _, e := range k.entries {
		if !e.own && (oldest == nil || e.seen.Before(oldest.seen)) {
			oldest = e
		}
	}
	if oldest == nil {
		return fmt.Errorf("%w: %d services of this node are known", ErrFull, len(k.entries))
	}
	if err := k.ds.Delete(ctx, datastore.NewKey(oldest.record.Service.String())); err != nil {
		return fmt.Errorf("forget known record: %w", err)
	}
	delete(k.entries, oldest.record.Service)
	return nil
}
