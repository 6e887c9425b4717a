package logstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// Config tunes a store. The zero value works.
type Config struct {
	Prefix  string           // datastore key above everything the store writes; default "/logs"
	Logger  *slog.Logger     // default slog.Default()
	Now     func() time.Time // time put into entries; default time.Now
	MaxLogs int              // logs in the store; default 4096

	// Witness is a file, apart from the datastore, by which Open notices that the datastore lost
	// acknowledged writes (then it gives a *LossError). Default: none.
	Witness string

	// Fatal is called once, from a goroutine of its own making, after a write or sync failed. The
	// process should say so and exit. It may call Close. Default: nothing but the log line and
	// ErrStopped.
	Fatal func(error)

	MaxWaiting    int // writes waiting for the committer, further callers wait outside; default 512
	MaxGroup      int // writes in one group; default 256
	MaxGroupBytes int // bytes of entries after which a group is committed; default 1 MiB
	MaxProducers  int // producers remembered in memory (all are on disk); default 4096
}

func (c Config) withDefaults() (Config, error) {
	if c.Prefix == "" {
		c.Prefix = "/logs"
	}
	if c.Prefix != datastore.NewKey(c.Prefix).String() || c.Prefix == "/" {
		return c, fmt.Errorf("log store prefix %q is not a datastore key", c.Prefix)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	for _, limit := range []struct {
		value    *int
		standard int
	}{
		{&c.MaxLogs, 4096},
		{&c.MaxWaiting, 512},
		{&c.MaxGroup, 256},
		{&c.MaxGroupBytes, 1 << 20},
		{&c.MaxProducers, 4096},
	} {
		if *limit.value < 0 {
			return c, errors.New("log store limits must not be negative")
		}
		if *limit.value == 0 {
			*limit.value = limit.standard
		}
	}
	return c, nil
}

// Store holds the logs and named records of a node. It is safe for concurrent use.
type Store struct {
	cfg       Config
	ds        datastore.Batching
	committer *committer
	witness   *witness // may be nil
	closing   func() error

	mu      sync.Mutex
	logs    map[LogID]*Log    // opened
	numbers map[LogID]uint32  // on disk
	broken  map[string]string // catalogue keys that do not verify, and why
	next    uint32            // number of the next new log
}

// Open reads the catalogue of logs and starts the committer. The caller closes ds, after Close has
// returned. Nobody else may write under the prefix.
func Open(ctx context.Context, ds datastore.Batching, cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg:     cfg,
		ds:      ds,
		logs:    map[LogID]*Log{},
		numbers: map[LogID]uint32{},
		broken:  map[string]string{},
		next:    1,
	}
	group, err := s.readGroup(ctx)
	if err == nil {
		err = s.readCatalogue(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open log store: %w", err)
	}
	if err := s.openWitness(group); err != nil {
		return nil, fmt.Errorf("open log store: %w", err)
	}
	unfinished, err := s.unfinishedDrops(ctx)
	if err != nil {
		return nil, fmt.Errorf("open log store: %w", err)
	}
	for _, number := range unfinished {
		s.next = max(s.next, number+1)
	}
	s.committer = startCommitter(s, group)
	s.closing = sync.OnceValue(func() error {
		s.committer.close()
		if s.witness == nil {
			return nil
		}
		return s.witness.close()
	})
	for _, number := range unfinished {
		if err := s.sweep(ctx, number); err != nil {
			return nil, errors.Join(fmt.Errorf("open log store: %w", err), s.Close())
		}
	}
	return s, nil
}

// readGroup returns the number of the newest group on disk.
func (s *Store) readGroup(ctx context.Context) (uint64, error) {
	value, err := s.get(ctx, groupKey)
	if errors.Is(err, datastore.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	group, err := decodeGroup(value)
	if err != nil {
		return 0, fmt.Errorf("group record: %w", err)
	}
	return group, nil
}

// openWitness compares what is on disk with what was acknowledged.
func (s *Store) openWitness(group uint64) error {
	if s.cfg.Witness == "" {
		return nil
	}
	w, acknowledged, err := openWitness(s.cfg.Witness, s.cfg.Logger)
	if err != nil {
		return err
	}
	if group < acknowledged {
		return errors.Join(&LossError{Witness: s.cfg.Witness, Have: group, Acknowledged: acknowledged}, w.file.Close())
	}
	s.witness = w
	go w.run()
	return nil
}

// Close waits for the group under way and ends the committer; waiting writes get ErrClosed. It may
// be called twice. Reading goes on working until the datastore is closed.
func (s *Store) Close() error { return s.closing() }

// readCatalogue learns which logs exist. A record that does not verify takes its number out of use
// and keeps its log from being opened, or made anew in its place.
func (s *Store) readCatalogue(ctx context.Context) error {
	results, err := s.ds.Query(ctx, query.Query{Prefix: s.cfg.Prefix + "/c"})
	if err != nil {
		return err
	}
	defer results.Close()
	for result := range results.Next() {
		if result.Error != nil {
			return result.Error
		}
		key := strings.TrimPrefix(result.Key, s.cfg.Prefix)
		number, id, err := parseCatalogueKey(key)
		if err != nil {
			return fmt.Errorf("catalogue record %q: %w", key, err)
		}
		s.next = max(s.next, number+1)
		body, err := unseal(key, result.Value)
		if err == nil && len(body) != 0 {
			err = errLength
		}
		if _, twice := s.numbers[id]; err == nil && twice {
			err = errors.New("log has two numbers")
		}
		if err != nil {
			s.cfg.Logger.Error("log cannot be used", "log", id, "error", err)
			s.broken[id.String()] = err.Error()
			continue
		}
		s.numbers[id] = number
	}
	return nil
}

// Log opens a log. One that does not exist yet comes into being with its first entry. An error of
// type *CorruptError says that its head does not verify; if only its newest entry does not, the log
// opens for reading and Log.Err says so.
func (s *Store) Log(ctx context.Context, id LogID) (*Log, error) {
	if err := edgeistry.CheckName(id.Name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.logs[id]; ok {
		return l, nil
	}
	if why, ok := s.broken[id.String()]; ok {
		return nil, &CorruptError{Log: id, Detail: "catalogue: " + why}
	}
	number, exists := s.numbers[id]
	if !exists {
		if s.countLocked() >= s.cfg.MaxLogs {
			return nil, fmt.Errorf("open log %s: %w: %d logs", id, ErrLimit, s.cfg.MaxLogs)
		}
		number = s.next
	}
	l := newLog(s, id, number)
	if exists {
		if err := l.load(ctx); err != nil {
			return nil, err
		}
	} else {
		s.next++
	}
	s.logs[id] = l
	return l, nil
}

// countLocked counts the logs on disk and the opened ones that have no entry yet.
func (s *Store) countLocked() int {
	n := len(s.numbers) + len(s.broken)
	for id := range s.logs {
		if _, ok := s.numbers[id]; !ok {
			n++
		}
	}
	return n
}

// Has reports whether a log has entries. Unlike Log it creates nothing: use it before opening what
// a stranger names.
func (s *Store) Has(id LogID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.numbers[id]
	return ok
}

// Logs returns the logs that have entries, sorted by service and name.
func (s *Store) Logs(context.Context) ([]LogID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]LogID, 0, len(s.numbers))
	for id := range s.numbers {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b LogID) int {
		if c := strings.Compare(string(a.Service[:]), string(b.Service[:])); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return ids, nil
}

// key is the datastore key of a key below the prefix.
func (s *Store) key(key string) datastore.Key { return datastore.RawKey(s.cfg.Prefix + key) }

// get reads a value; a missing one is datastore.ErrNotFound.
func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	return s.ds.Get(ctx, s.key(key))
}
