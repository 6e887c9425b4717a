package logstore

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

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

	// Failed is told of what could not be written or read in the background (a full disk, say): pebble itself would try again for ever,
	// while writes wait. Called once, on a goroutine of its own.
	Failed func(error)
	// Fatal is told why pebble cannot go on, and must not return. Default: panic.
	Fatal func(why string)
}

// OpenPebble opens the embedded datastore in a directory, which it makes if there is none. It is how a node stores. Close the
// closer after every store on the datastore is closed.
//
// go-ds-pebble's Put and Commit leave their data in memory; its Sync writes a record to the write-ahead log and waits for
// the disk, which takes along everything committed before (a log file that is full is synced before the next one begins).
// That is the pair that Store relies on: Commit, then Sync, then acknowledge.
func OpenPebble(path string) (datastore.Batching, io.Closer, error) {
	return PebbleConfig{}.Open(path)
}

// Open is OpenPebble with a configuration.
func (c PebbleConfig) Open(path string) (datastore.Batching, io.Closer, error) {
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
	if desc, err := pebble.Peek(path, c.FS); err != nil {
		return nil, nil, fmt.Errorf("open datastore %s: %w", path, err)
	} else if !desc.Exists {
		// The first write-ahead log of a new store cannot yet tell damage in its middle from a torn end; those of a
		// store that was opened before can.
		ds, err := c.open(path)
		if err != nil {
			return nil, nil, err
		}
		if err := ds.Close(); err != nil {
			return nil, nil, fmt.Errorf("make datastore %s: %w", path, err)
		}
	}
	ds, err := c.open(path)
	if err != nil {
		return nil, nil, err
	}
	return ds, ds, nil
}

func (c PebbleConfig) open(path string) (*pebbleds.Datastore, error) {
	cache := pebble.NewCache(c.CacheBytes)
	defer cache.Unref() // the database holds a reference of its own
	var once sync.Once
	listener := &pebble.EventListener{BackgroundError: func(err error) {
		once.Do(func() {
			if c.Failed != nil {
				go c.Failed(err)
			}
		})
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
		return nil, fmt.Errorf("open datastore %s: %w", path, err)
	}
	return ds, nil
}

// pebbleLogger hands pebble's lines to slog. What pebble only informs about is Debug here.
type pebbleLogger struct {
	logger *slog.Logger
	store  string
	fatal  func(string)
}

func (l pebbleLogger) Infof(format string, args ...any) {
	l.logger.Debug(fmt.Sprintf(format, args...), "store", l.store)
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.logger.Error(fmt.Sprintf(format, args...), "store", l.store)
}

// Fatalf ends the process: pebble calls it where going on would lose data, and requires that it does not return.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	l.logger.Error(why, "store", l.store)
	if l.fatal != nil {
		l.fatal(why)
	}
	panic("datastore cannot go on: " + why)
}
