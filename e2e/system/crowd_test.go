package system

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
)

// entry is a line that shows an entry.
var entry = regexp.MustCompile(`(?m)^\d+\.\d+ `)

// TestCrowd reads and follows one device from one node with many commands at once. Nodes and the device refuse what is too much for
// them at the moment (4.29, 5.03); every command waits that out and succeeds.
func TestCrowd(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := startSite(t, ctx)
	if err := harness.Until(ctx, 20*time.Second, func() error {
		return s.node.CLI(ctx, "log", "read", "shed/temperature", "--from", "1", "--count", "1").Err()
	}); err != nil {
		t.Fatal(err)
	}

	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		fails []error
	)
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		fails = append(fails, err)
	}
	tails := make([]*harness.Process, 20)
	for i := range tails {
		var err error
		if tails[i], err = harness.Start(t.TempDir(), fmt.Sprint("tail", i), nil, s.node.Command("log", "tail", "shed/temperature", "--last", "1")...); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := tails[i].Stop(); err != nil {
				t.Errorf("tail %d: %v", i, err)
			}
		})
	}
	for i := range tails {
		wg.Go(func() {
			if _, err := tails[i].Wait(ctx, 0, `^\d+\.\d+ `); err != nil {
				fail(fmt.Errorf("tail %d: %w", i, err))
			}
		})
	}
	wg.Wait()
	for i := range 40 {
		wg.Go(func() {
			r := s.node.CLI(ctx, "log", "read", "shed/temperature", "--last", "2")
			if err := r.Err(); err != nil {
				fail(fmt.Errorf("read %d: %w", i, err))
			} else if !entry.Match(r.Stdout) {
				fail(fmt.Errorf("read %d: %s", i, r.Stdout))
			}
		})
	}
	wg.Wait()
	for i := range tails { // they follow on, the reads did not end them
		wg.Go(func() {
			if _, err := tails[i].Wait(ctx, tails[i].Mark(), `^\d+\.\d+ `); err != nil {
				fail(fmt.Errorf("tail %d after the reads: %w", i, err))
			}
		})
	}
	wg.Wait()
	if err := errors.Join(fails...); err != nil {
		t.Fatal(err)
	}
}

// TestTailOverRestart follows a log under a capability that ends some day. The device starts again, and does not know the time until its
// home has told it: the tail goes on all the same.
func TestTailOverRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := startSite(t, ctx)
	must(t, s.node.CLI(ctx, "cap", "attenuate", "shed/owner", "read", "temperature", "until", "1h", "--save", "shed/anna"))
	tail, err := harness.Start(t.TempDir(), "tail", nil, s.node.Command("log", "tail", "shed/temperature", "--cap", "shed/anna")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tail.Stop(); err != nil {
			t.Error(err)
		}
	})
	if _, err := tail.Wait(ctx, 0, `^1\.\d+ `); err != nil {
		t.Fatal(err)
	}
	for incarnation := 2; incarnation <= 3; incarnation++ {
		if err := errors.Join(s.device.Kill(), s.device.Restart(ctx)); err != nil {
			t.Fatal(err)
		}
		if _, err := tail.Wait(ctx, 0, fmt.Sprintf(`^%d\.\d+ `, incarnation)); err != nil {
			t.Fatal(err)
		}
	}
}
