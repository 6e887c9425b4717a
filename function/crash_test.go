package function

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ipfs/go-datastore"

	"github.com/edgeistry/edgeistry/function/wasm/wasmtest"
	"github.com/edgeistry/edgeistry/logstore"
)

var errCut = errors.New("the power is off")

// cut is a disk whose power goes off after a number of commits: what was committed is there, and
// nothing is written any more.
type cut struct {
	datastore.Batching
	left atomic.Int64
}

func (c *cut) Batch(ctx context.Context) (datastore.Batch, error) {
	b, err := c.Batching.Batch(ctx)
	return cutBatch{b, c}, err
}

type cutBatch struct {
	datastore.Batch
	disk *cut
}

func (b cutBatch) Commit(ctx context.Context) error {
	if b.disk.left.Add(-1) < 0 {
		return errCut
	}
	return b.Batch.Commit(ctx)
}

// The power goes off after every single commit of a deployment, its appends and its runs. Whatever
// was written, each entry has its effect exactly once in the end: the cursor is never ahead of an
// output, nor behind it.
func TestPowerCutBetweenEffectAndPosition(t *testing.T) {
	const entries = 5
	for commits := range int64(40) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, Config{Attempts: 1})
			disk := b.ds
			b.close()
			off := &cut{Batching: disk}
			off.left.Store(commits)
			b.ds = off
			if store, err := logstore.Open(t.Context(), off, logstore.Config{Logger: b.cfg.Logger}); err == nil {
				runUntilCut(t, store, b.cfg, entries)
			}
			b.ds = disk // the power is back
			b.open()
			defer b.close()
			if _, err := b.runtime.find("echo"); err != nil {
				b.deploy(Spec{Name: "echo", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out"), Timeout: time.Second, FromStart: true})
			}
			had := b.log("in").Head().Sequence
			for i := had; i < entries; i++ {
				b.append("in", fmt.Append(nil, i+1))
			}
			synctest.Wait()
			if got := strings.Join(b.outputs("out", entries), " "); got != "1 2 3 4 5" {
				t.Errorf("power cut after %d commits: outputs = %s, want 1 2 3 4 5", commits, got)
			}
			if head := b.log("out").Head().Sequence; head != entries {
				t.Errorf("power cut after %d commits: %d outputs, want %d", commits, head, entries)
			}
		})
	}
}

// runUntilCut deploys, appends and runs until the store refuses or all is done.
func runUntilCut(t *testing.T, store *logstore.Store, cfg Config, entries int) {
	t.Helper()
	defer store.Close()
	r, err := New(t.Context(), store, cfg)
	if err != nil {
		return
	}
	defer r.Close()
	if err := r.Deploy(t.Context(), Spec{Name: "echo", Module: wasmtest.Sample(t, "echo"), On: logID("in"), To: logID("out"), Timeout: time.Second, FromStart: true}); err != nil {
		return
	}
	in, err := store.Log(t.Context(), logID("in"))
	if err != nil {
		return
	}
	for i := range entries {
		if _, err := in.Append(t.Context(), logstore.AppendRequest{Payload: fmt.Append(nil, i+1)}); err != nil {
			return
		}
		synctest.Wait() // the function has handled it, or cannot
	}
}

func TestPauseHoldsOverRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Config{Attempts: 1})
		spec := Spec{Name: "alarm", Module: wasmtest.Sample(t, "alarm"), On: logID("in"), To: logID("out"), Timeout: time.Second}
		b.deploy(spec)
		b.append("in", wasmtest.Tenths(350))
		synctest.Wait()
		if err := b.runtime.Pause(t.Context(), "alarm"); err != nil {
			t.Fatal(err)
		}
		b.append("in", []byte("bad"), wasmtest.Tenths(360))
		synctest.Wait()
		paused := func(when string) {
			t.Helper()
			if s := b.status("alarm"); s.State != "paused" || s.Count != 1 {
				t.Errorf("%s: %+v, want paused after 1 entry", when, s)
			}
		}
		paused("after Pause")
		b.close()
		b.open()
		synctest.Wait()
		paused("after a restart")
		b.deploy(spec)
		synctest.Wait()
		paused("after it was deployed again")
		if err := b.runtime.Skip(t.Context(), "alarm"); !errors.Is(err, ErrNotParked) {
			t.Errorf("Skip of a paused function = %v, want ErrNotParked", err)
		}
		if err := b.runtime.Resume(t.Context(), "alarm"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := b.status("alarm"); !strings.HasPrefix(s.State, "parked: entry 1.2") {
			t.Errorf("after Resume %+v, want parked at the bad entry", s)
		}
		if err := b.runtime.Skip(t.Context(), "alarm"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s := b.status("alarm"); s.State != "running" || s.Outputs != 2 {
			t.Errorf("after Skip %+v, want running with 2 outputs", s)
		}
		if err := b.runtime.Resume(t.Context(), "alarm"); !errors.Is(err, ErrRunning) {
			t.Errorf("Resume of a running function = %v, want ErrRunning", err)
		}
		b.close()
	})
}
