package logstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ipfs/go-datastore"
)

// Append is an append to one log as part of a Transaction.
type Append struct {
	Log *Log
	AppendRequest
}

// Transaction is a set of writes that happen together or not at all.
type Transaction struct {
	Appends []Append
	Records []Record
}

// MaxTransaction bounds the appends, and the records, of one Transaction.
const MaxTransaction = 1024

// Commit does all of tx in one atomic batch and returns when it is on disk, with a receipt for each
// append. If one of the appends is refused, nothing of tx is done.
func (s *Store) Commit(ctx context.Context, tx Transaction) ([]Receipt, error) {
	if len(tx.Appends) > MaxTransaction || len(tx.Records) > MaxTransaction {
		return nil, fmt.Errorf("transaction of %d appends and %d records: %w", len(tx.Appends), len(tx.Records), ErrTooLarge)
	}
	for i := range tx.Appends {
		a := &tx.Appends[i]
		if a.Log == nil || a.Log.store != s {
			return nil, errors.New("transaction names a log of another store")
		}
		if err := a.check(); err != nil {
			return nil, fmt.Errorf("append to %s: %w", a.Log.id, err)
		}
	}
	for i := range tx.Records {
		if err := tx.Records[i].check(); err != nil {
			return nil, err
		}
	}
	result, err := s.committer.submit(ctx, &write{tx: tx})
	return result.receipts, err
}

// write is what a caller hands to the committer: a transaction or a mirror.
type write struct {
	ctx     context.Context
	tx      Transaction
	mirror  *mirror
	drop    *Log        // a log to take out of the catalogue
	deletes []string    // keys of dropped logs
	result  chan result // of capacity 1: the committer never waits for the caller
}

type result struct {
	receipts []Receipt
	stored   int
	err      error
}

// committer is the one goroutine that writes. It takes what waits, stages it into one batch,
// commits, syncs, and only then answers.
type committer struct {
	store *Store
	queue chan *write
	stop  chan struct{} // closed by close
	done  chan struct{} // closed when the goroutine takes no more writes
	once  sync.Once

	marks marks
	last  uint64 // number of the newest group on disk

	mu     sync.Mutex
	failed error // wraps ErrStopped
}

func startCommitter(s *Store, group uint64) *committer {
	c := &committer{
		store: s,
		last:  group,
		queue: make(chan *write, s.cfg.MaxWaiting),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
		marks: marks{limit: s.cfg.MaxProducers, byKey: map[string]mark{}},
	}
	go c.run()
	return c
}

func (c *committer) close() {
	c.once.Do(func() { close(c.stop) })
	<-c.done
}

// refusal reports why writes are not taken any more.
func (c *committer) refusal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	return ErrClosed
}

// submit hands a write to the committer and waits for its end.
func (c *committer) submit(ctx context.Context, w *write) (result, error) {
	w.ctx, w.result = ctx, make(chan result, 1)
	select {
	case <-c.stop: // first, for select chooses at random
		return result{}, c.refusal()
	case <-c.done:
		return result{}, c.refusal()
	default:
	}
	select {
	case c.queue <- w:
	case <-ctx.Done():
		return result{}, ctx.Err()
	case <-c.stop:
		return result{}, c.refusal()
	case <-c.done:
		return result{}, c.refusal()
	}
	select {
	case r := <-w.result:
		return r, r.err
	case <-ctx.Done():
		return result{}, fmt.Errorf("write may or may not be stored: %w", ctx.Err())
	case <-c.done:
		select {
		case r := <-w.result: // it was in the last group
			return r, r.err
		default:
			return result{}, c.refusal()
		}
	}
}

func (c *committer) run() {
	err := c.loop()
	if err != nil {
		c.mu.Lock()
		c.failed = err
		c.mu.Unlock()
	}
	close(c.done) // everybody who still waits learns the refusal
	if err != nil {
		c.store.cfg.Logger.Error("log store acknowledges nothing any more", "error", err)
		if c.store.cfg.Fatal != nil {
			c.store.cfg.Fatal(asFull(err))
		}
	}
}

// loop commits group after group until it is stopped or a write fails.
func (c *committer) loop() error {
	var next *write // did not fit the group before
	for {
		if next == nil {
			select {
			case next = <-c.queue:
			case <-c.stop:
				return nil
			}
		}
		var err error
		if next, err = c.group(next); err != nil {
			return err
		}
		select {
		case <-c.stop:
			return nil
		default:
		}
	}
}

// group commits first and what waits behind it. It gives back a write that has to wait for the next
// group.
func (c *committer) group(first *write) (*write, error) {
	g := newGroup(c)
	var next *write
	for w := first; w != nil; {
		r, fits := g.stage(w)
		if !fits {
			next = w
			break
		}
		g.writes = append(g.writes, staged{w, r})
		if len(g.writes) >= c.store.cfg.MaxGroup || g.bytes >= c.store.cfg.MaxGroupBytes {
			break
		}
		select {
		case w = <-c.queue:
		default:
			w = nil
		}
	}
	if err := c.flush(g); err != nil {
		err = fmt.Errorf("%w: %w", ErrStopped, err)
		for _, s := range g.writes {
			s.write.result <- result{err: err}
		}
		return nil, err
	}
	g.publish()
	for _, s := range g.writes {
		s.write.result <- s.result
	}
	return next, nil
}

// flush puts a group on disk: one batch, one sync. No context: a commit once begun is not called
// off.
func (c *committer) flush(g *group) error {
	if len(g.puts) == 0 {
		return nil
	}
	g.finish()
	ctx := context.Background()
	batch, err := c.store.ds.Batch(ctx)
	if err != nil {
		return fmt.Errorf("begin batch: %w", err)
	}
	for _, p := range g.puts {
		if p.value == nil {
			err = batch.Delete(ctx, c.store.key(p.key))
		} else {
			err = batch.Put(ctx, c.store.key(p.key), p.value)
		}
		if err != nil {
			return fmt.Errorf("write batch: %w", err)
		}
	}
	if err := batch.Commit(ctx); err != nil {
		return fmt.Errorf("commit batch: %w", err)
	}
	if err := c.store.ds.Sync(ctx, datastore.RawKey(c.store.cfg.Prefix)); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	c.last++
	if c.store.witness != nil {
		c.store.witness.saw(c.last)
	}
	return nil
}
