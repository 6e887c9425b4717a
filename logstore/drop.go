package logstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ipfs/go-datastore/query"
)

// ErrDropped reports that the log was dropped from the store: it takes no entries and has none.
var ErrDropped = errors.New("log was dropped")

// dropping is the folder of records that name logs whose keys are being deleted. The record of a
// log's number is written with the deletion of its catalogue record and head, and deleted after its
// last key.
const dropping = "dropping"

// dropChunk is how many keys one write of a drop deletes, so that appends get their turn in
// between.
const dropChunk = 1024

// Drop deletes a log with all of its entries. When it returns they are gone from the disk; a stop
// in between is made up for by the next Open. The log's number is never used again. A log that does
// not exist is fine. Who holds a *Log of it gets ErrDropped; Log makes a new log of that name.
func (s *Store) Drop(ctx context.Context, id LogID) error {
	if !s.Has(id) {
		s.forgetEmpty(id)
		return nil
	}
	l, err := s.Log(ctx, id)
	if err != nil {
		return fmt.Errorf("drop %s: %w", id, err)
	}
	if _, err := s.committer.submit(ctx, &write{drop: l}); err != nil {
		return fmt.Errorf("drop %s: %w", id, err)
	}
	return s.sweep(ctx, l.number)
}

// forgetEmpty lets go of a log that was opened and has no entry.
func (s *Store) forgetEmpty(id LogID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, opened := s.logs[id]
	if _, exists := s.numbers[id]; !opened || exists {
		return
	}
	l.refuse(fmt.Errorf("log %s: %w", id, ErrDropped))
	delete(s.logs, id)
}

// refuse ends appends to a log.
func (l *Log) refuse(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = why
}

// drop takes a log out of the catalogue. Its entries are out of reach then.
func (g *group) drop(l *Log) error {
	if !l.catalogued {
		return ErrDropped
	}
	record := recordKey(fmt.Sprintf("%s/%08x", dropping, l.number))
	g.put(record, encodeRecord(record, nil))
	g.put(catalogueKey(l.number, l.id), nil)
	g.put(headKey(l.number), nil)
	g.dropped = append(g.dropped, l)
	l.catalogued = false
	l.refuse(fmt.Errorf("log %s: %w", l.id, ErrDropped))
	return nil
}

// publishDrops takes dropped logs out of memory.
func (g *group) publishDrops() {
	for _, l := range g.dropped {
		l.store.mu.Lock()
		delete(l.store.numbers, l.id)
		delete(l.store.logs, l.id)
		l.store.mu.Unlock()
		l.publish(tail{})
	}
}

// sweep deletes what a dropped log left, chunk by chunk, then the record of it.
func (s *Store) sweep(ctx context.Context, number uint32) error {
	for _, kind := range []string{"/e/", "/i/", "/p/"} {
		prefix := string(appendHex32([]byte(kind), number))
		for {
			keys, err := s.keysUnder(ctx, prefix)
			if err != nil {
				return fmt.Errorf("drop log %d: %w", number, err)
			}
			if len(keys) == 0 {
				break
			}
			if _, err := s.committer.submit(ctx, &write{deletes: keys}); err != nil {
				return fmt.Errorf("drop log %d: %w", number, err)
			}
		}
	}
	return s.Delete(ctx, fmt.Sprintf("%s/%08x", dropping, number))
}

// keysUnder returns the first keys below a prefix, at most one chunk of them.
func (s *Store) keysUnder(ctx context.Context, prefix string) ([]string, error) {
	results, err := s.ds.Query(ctx, query.Query{Prefix: s.cfg.Prefix + prefix, KeysOnly: true, Limit: dropChunk})
	if err != nil {
		return nil, err
	}
	defer results.Close()
	var keys []string
	for result := range results.Next() {
		if result.Error != nil {
			return nil, result.Error
		}
		keys = append(keys, strings.TrimPrefix(result.Key, s.cfg.Prefix))
	}
	return keys, nil
}

// unfinishedDrops returns the numbers of logs whose keys were being deleted when the store stopped.
func (s *Store) unfinishedDrops(ctx context.Context) ([]uint32, error) {
	names, err := s.Records(ctx, dropping, s.cfg.MaxLogs)
	if err != nil {
		return nil, err
	}
	var numbers []uint32
	for _, name := range names {
		n, err := strconv.ParseUint(strings.TrimPrefix(name, dropping+"/"), 16, 32)
		if err != nil {
			return nil, fmt.Errorf("record %q names no log", name)
		}
		numbers = append(numbers, uint32(n))
	}
	return numbers, nil
}
