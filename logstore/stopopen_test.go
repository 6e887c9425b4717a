package logstore_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/edgeistry/edgeistry/logstore"
)

// TestOpenEnds: opening ends with its context, also where a disk lets no write return. That is how SIGTERM reaches a node that opens
// its store.
func TestOpenEnds(t *testing.T) {
	stuck, release := make(chan struct{}), make(chan struct{})
	var first sync.Once
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.Contains(op.Path, "MANIFEST") {
			first.Do(func() { close(stuck) })
			<-release
		}
		return nil
	}))
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("SIGTERM")
	result := make(chan error, 1)
	go func() {
		_, _, err := logstore.PebbleConfig{FS: fs, Logger: quiet()}.OpenContext(ctx, "data")
		result <- err
	}()
	select {
	case <-stuck:
	case err := <-result:
		t.Fatalf("OpenContext = %v before the disk was asked to write", err)
	}
	cancel(stopped)
	if err := <-result; !errors.Is(err, stopped) {
		t.Errorf("OpenContext = %v, want the cause of its context", err)
	}
	close(release) // lets what was abandoned end
}
