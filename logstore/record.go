package logstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// MaxRecord bounds the value of a named record, in bytes.
const MaxRecord = 320 << 10

// Record is a small named value kept with the durability of an append: cursors, deployments,
// settings.
type Record struct {
	Name   string // parts of a-z 0-9 - _ . separated by slashes, at most 128 bytes
	Value  []byte // at most MaxRecord bytes
	Delete bool   // forget the record
}

func (r *Record) check() error {
	if err := checkRecordName(r.Name); err != nil {
		return err
	}
	if len(r.Value) > MaxRecord {
		return fmt.Errorf("record %q of %d bytes: %w: at most %d", r.Name, len(r.Value), ErrTooLarge, MaxRecord)
	}
	return nil
}

func encodeRecord(key string, value []byte) []byte {
	b := append(make([]byte, 0, valueOverhead+len(value)), valueVersion)
	return seal(key, append(b, value...))
}

// Put writes a record and returns when it is on disk.
func (s *Store) Put(ctx context.Context, name string, value []byte) error {
	_, err := s.Commit(ctx, Transaction{Records: []Record{{Name: name, Value: value}}})
	return err
}

// Delete forgets a record; one that does not exist is fine.
func (s *Store) Delete(ctx context.Context, name string) error {
	_, err := s.Commit(ctx, Transaction{Records: []Record{{Name: name, Delete: true}}})
	return err
}

// Get reads a record. Errors: ErrNotFound; one that does not verify is an error too.
func (s *Store) Get(ctx context.Context, name string) ([]byte, error) {
	if err := checkRecordName(name); err != nil {
		return nil, err
	}
	key := recordKey(name)
	value, err := s.get(ctx, key)
	if errors.Is(err, datastore.ErrNotFound) {
		return nil, fmt.Errorf("record %q: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("record %q: %w", name, err)
	}
	body, err := unseal(key, value)
	if err != nil {
		return nil, fmt.Errorf("record %q: %w", name, err)
	}
	return body, nil
}

// Records returns the names of the records below a name ("functions" finds "functions/a"), in
// order, at most limit of them.
func (s *Store) Records(ctx context.Context, under string, limit int) ([]string, error) {
	if err := checkRecordName(under); err != nil {
		return nil, err
	}
	results, err := s.ds.Query(ctx, query.Query{
		Prefix:   s.cfg.Prefix + recordKey(under),
		KeysOnly: true,
		Orders:   []query.Order{query.OrderByKey{}},
		Limit:    limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	defer results.Close()
	var names []string
	for result := range results.Next() {
		if result.Error != nil {
			return nil, fmt.Errorf("list records: %w", result.Error)
		}
		names = append(names, strings.TrimPrefix(result.Key, s.cfg.Prefix+recordKey("")))
	}
	return names, nil
}
