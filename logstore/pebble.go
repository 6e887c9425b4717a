package logstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/ipfs/go-datastore"
	pebbleds "github.com/ipfs/go-ds-pebble"
)

// PebbleConfig tunes the embedded datastore. The zero value suits a board with 512 MB.
type PebbleConfig struct {
	Logger        *slog.Logger // default slog.Default()
	CacheBytes    int64        // block cache; default 8 MiB
	MemTableBytes uint64       // two or three of these are held; default 4 MiB
	FS            vfs.FS       // default the operating system's

	// Failed is told of what could not be written or read in the background (a full disk, say):
	// pebble itself would try again for ever, while writes wait. Called once, on a goroutine of its
	// own.
	Failed func(error)
	// Fatal is told why pebble cannot go on (a *FullError where the disk is full), and must not
	// return. Default: panic.
	Fatal func(why error)
}

// OpenPebble opens the embedded datastore in a directory, which it makes if there is none. It is
// how a node stores. Close the closer after every store on the datastore is closed.
//
// go-ds-pebble's Put and Commit leave their data in memory; its Sync writes a record to the
// write-ahead log and waits for the disk, which takes along everything committed before (a log file
// that is full is synced before the next one begins). That is the pair that Store relies on:
// Commit, then Sync, then acknowledge.
func OpenPebble(path string) (datastore.Batching, io.Closer, error) {
	return PebbleConfig{}.Open(path)
}

// Open is OpenPebble with a configuration.
func (c PebbleConfig) Open(path string) (datastore.Batching, io.Closer, error) {
	return c.OpenContext(context.Background(), path)
}

// OpenContext is Open that ends with ctx. It returns a *FullError if the disk has no room for the
// datastore to work in.
func (c PebbleConfig) OpenContext(ctx context.Context, path string) (_ datastore.Batching, _ io.Closer, err error) {
	defer func() { err = asFull(err) }()
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 8 << 20
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = 4 << 20
	}
	onDisk := c.FS == nil
	if onDisk {
		c.FS = vfs.Default
	}
	if err := c.FS.MkdirAll(path, 0o700); err != nil {
		return nil, nil, fmt.Errorf("open datastore: %w", err)
	}
	if onDisk { // pebble's files are readable by all: the directory is not
		if err := os.Chmod(path, 0o700); err != nil {
			return nil, nil, fmt.Errorf("open datastore: %w", err)
		}
	}
	if usage, err := c.FS.GetDiskUsage(path); err == nil && usage.AvailBytes < minRoom {
		return nil, nil, fmt.Errorf("open datastore %s: %w", path, &FullError{Free: usage.AvailBytes, Err: syscall.ENOSPC})
	}
	if desc, err := pebble.Peek(path, c.FS); err != nil {
		return nil, nil, fmt.Errorf("open datastore %s: %w", path, err)
	} else if !desc.Exists {
		// The first write-ahead log of a new store cannot yet tell damage in its middle from a torn
		// end; those of a store that was opened before can.
		ds, err := c.open(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		if err := ds.Close(); err != nil {
			return nil, nil, fmt.Errorf("make datastore %s: %w", path, err)
		}
	}
	ds, err := c.open(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	return ds, ds, nil
}

// closable is a database whose Close ends. Pebble's own waits, for ever where it cannot write.
type closable struct {
	*pebbleds.Datastore
	failed chan struct{} // closed when something could not be written in the background
}

// closeTime bounds Close once something could not be written.
const closeTime = time.Second

// Close writes out what is in memory. What was acknowledged is on disk before.
func (d *closable) Close() error {
	done := make(chan error, 1)
	go func() { done <- d.Datastore.Close() }()
	select {
	case err := <-done:
		return err
	case <-d.failed:
	}
	t := time.NewTimer(closeTime)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return errors.New("the datastore cannot be written, so it is not closed; what was acknowledged is on disk")
	}
}

const (
	// minRoom is what a store needs at least to open: two memory tables are written out, and a log
	// file begins.
	minRoom = 8 << 20
	// failurePause is between two attempts of pebble to write in the background. It makes none
	// itself.
	failurePause = 100 * time.Millisecond
)

// open opens the database. Pebble does not return from opening while it cannot write, so open
// returns without it then: the caller is expected to end the process.
func (c PebbleConfig) open(ctx context.Context, path string) (*closable, error) {
	type opened struct {
		ds  *pebbleds.Datastore
		err error
	}
	result, failed, stuck := make(chan opened), make(chan error, 1), make(chan struct{})
	abandoned := make(chan struct{})
	go func() {
		ds, err := c.openNow(path, failed, stuck)
		select {
		case result <- opened{ds, err}:
		case <-abandoned:
			if err == nil {
				_ = ds.Close() // nobody wants it any more
			}
		}
	}()
	var err error
	select {
	case o := <-result:
		if o.err != nil {
			return nil, o.err
		}
		return &closable{o.ds, stuck}, nil
	case err = <-failed:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	close(abandoned)
	return nil, fmt.Errorf("open datastore %s: %w", path, asFull(err))
}

// openNow opens the database, however long it takes. What cannot be written in the background goes
// to failed, and to c.Failed.
func (c PebbleConfig) openNow(path string, failed chan<- error, stuck chan<- struct{}) (*pebbleds.Datastore, error) {
	cache := pebble.NewCache(c.CacheBytes)
	defer cache.Unref() // the database holds a reference of its own
	var once sync.Once
	listener := &pebble.EventListener{BackgroundError: func(err error) {
		once.Do(func() {
			failed <- err // it has room
			close(stuck)
			if c.Failed != nil {
				go c.Failed(asFull(err))
			}
		})
		time.Sleep(failurePause) // pebble tries again at once
	}}
	ds, err := pebbleds.NewDatastore(path, pebbleds.WithPebbleOpts(&pebble.Options{
		EventListener:      listener,
		FS:                 c.FS,
		Cache:              cache,
		MemTableSize:       c.MemTableBytes,
		MaxOpenFiles:       256,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             pebbleLogger{c.Logger.With("part", "pebble"), filepath.Base(path), c.Fatal},
	}))
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("open datastore %s: %w: is it another user's?", path, err)
		}
		return nil, fmt.Errorf("open datastore %s: %w", path, asFull(err))
	}
	return ds, nil
}

// pebbleLogger hands pebble's lines to slog. What pebble only informs about is Debug here.
type pebbleLogger struct {
	logger *slog.Logger
	store  string
	fatal  func(error)
}

func (l pebbleLogger) Infof(format string, args ...any) {
	l.logger.Debug(fmt.Sprintf(format, args...), "store", l.store)
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.logger.Error(fmt.Sprintf(format, args...), "store", l.store)
}

// Fatalf ends the process: pebble calls it where going on would lose data, and requires that it
// does not return.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	l.logger.Error(why, "store", l.store)
	if l.fatal != nil {
		cause := errors.New(why)
		for _, arg := range args {
			if err, ok := arg.(error); ok && isFull(err) {
				cause = &FullError{Err: cause}
			}
		}
		l.fatal(cause)
	}
	panic("datastore cannot go on: " + why)
}
