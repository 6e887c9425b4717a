package node

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
)

// TestWatchClock sets the wall clock forward and back while the monotonic one runs, and lets it drift.
func TestWatchClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var offset atomic.Int64
		var steps []time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			watchClock(ctx, func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }, func(by time.Duration) { steps = append(steps, by) })
		}()
		pass := func() { time.Sleep(10 * clockLook); synctest.Wait() }
		pass()
		if len(steps) != 0 {
			t.Errorf("steps of a clock that nobody set: %v", steps)
		}
		offset.Store(int64(56 * 365 * 24 * time.Hour))
		pass()
		offset.Add(int64(-time.Hour))
		pass()
		for range 100 { // drift, 10 ms a look
			offset.Add(int64(10 * time.Millisecond))
			time.Sleep(clockLook)
		}
		if want := []time.Duration{56 * 365 * 24 * time.Hour, -time.Hour}; !slices.Equal(steps, want) {
			t.Errorf("steps = %v, want %v", steps, want)
		}
		cancel()
		<-done
	})
}

// TestClockStepped sets the clock of a running node: its records are published again, and its device is told the time.
func TestClockStepped(t *testing.T) {
	n, c := startNode(t, testHome(t, nil))
	var told atomic.Int32
	_, setup, link := greenhouse(t, func(req *coap.Message) bool {
		if req.Path() == "/t" {
			told.Add(1)
		}
		return false
	})
	claimed, err := c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: link, Name: "greenhouse"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := []string{n.state.Keys.Own().ID.String(), claimed.Service}
	sequences := func() (out []uint64) {
		for _, id := range ids {
			r, err := c.Resolve(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, r.Sequence)
		}
		return out
	}
	before, toldBefore := sequences(), told.Load()
	n.clockStepped(time.Hour)
	eventually(t, "what follows a step of the clock", func() error {
		now := sequences()
		if told.Load() <= toldBefore || now[0] <= before[0] || now[1] <= before[1] {
			return fmt.Errorf("device told %d times, was %d; sequences %v, were %v", told.Load(), toldBefore, now, before)
		}
		return nil
	})
}
