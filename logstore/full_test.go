package logstore_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/logstore"
)

// disk is a file system that can be filled. It counts the writes that find no room.
type disk struct {
	vfs.FS
	full    atomic.Bool
	only    string // suffix of the files that find no room
	refused atomic.Int64
	free    uint64
}

func newDisk(mem *vfs.MemFS) *disk {
	d := &disk{free: 1 << 30}
	d.FS = errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !d.full.Load() || op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpRemove || !strings.HasSuffix(op.Path, d.only) {
			return nil
		}
		d.refused.Add(1)
		return syscall.ENOSPC
	}))
	return d
}

func (d *disk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free}, nil
}

// TestOpenOnFullDisk: a store that cannot be opened for want of room says so at once, does not
// spin, and is whole when there is room.
func TestOpenOnFullDisk(t *testing.T) {
	mem := vfs.NewCrashableMem()
	d := newDisk(mem)
	failed := make(chan error, 16)
	config := logstore.PebbleConfig{FS: d, Logger: quiet(), MemTableBytes: 256 << 10, Failed: func(err error) { failed <- err }}
	id := logstore.LogID{Service: edgeistry.ServiceID{1}, Name: "events"}
	ds, closer, err := config.Open("data")
	if err != nil {
		t.Fatal(err)
	}
	store, err := logstore.Open(t.Context(), ds, logstore.Config{Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	log, err := store.Log(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	d.only = ".sst" // the newest entries stay in the write-ahead log
	d.full.Store(true)
	const entries = 150
	for range entries {
		if _, err := log.Append(t.Context(), logstore.AppendRequest{Payload: make([]byte, 2000)}); err != nil {
			t.Fatal(err)
		}
	}
	var full *logstore.FullError
	if err := <-failed; !errors.As(err, &full) {
		t.Errorf("Failed(%v), want that the disk is full", err)
	}
	began := time.Now()
	if err := errors.Join(store.Close(), closer.Close()); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("Close = %v after %v, want that it could not write", err, time.Since(began))
	}
	d.full.Store(false) // lets the first database go

	d = newDisk(mem.CrashClone(vfs.CrashCloneCfg{}))
	config.FS = d
	d.free = 1 << 20
	_, _, err = config.Open("data")
	if !errors.As(err, &full) || full.Free != d.free {
		t.Errorf("with 1 MB of room: %v, want how much is missing", err)
	}
	d.free = 1 << 30
	d.full.Store(true)
	for _, d.only = range []string{"", ".sst"} { // where pebble cannot write a table, it does not return from opening
		began = time.Now()
		if _, _, err = config.Open("data"); !errors.As(err, &full) || logstore.IsDamage(err) {
			t.Errorf("with a full disk: %v, want that it is full", err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v to say so", took)
		}
	}
	tried := d.refused.Load()
	time.Sleep(time.Second)
	if n := d.refused.Load() - tried; n > 30 {
		t.Errorf("%d writes were tried in a second on a full disk", n)
	}
	d.full.Store(false) // whoever opened meanwhile lets go of the files soon
	deadline := time.Now().Add(10 * time.Second)
	for ds, closer, err = config.Open("data"); err != nil; ds, closer, err = config.Open("data") {
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if store, err = logstore.Open(t.Context(), ds, logstore.Config{Logger: quiet()}); err != nil {
		t.Fatal(err)
	}
	if log, err = store.Log(t.Context(), id); err != nil || log.Head().Sequence != entries {
		t.Errorf("when there is room: head %v, %v, want %d entries", log.Head(), err, entries)
	}
	if err := errors.Join(store.Close(), closer.Close()); err != nil {
		t.Error(err)
	}
}
