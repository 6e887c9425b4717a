package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/mesh"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// testHome makes a home on loopback with ports from the kernel and nobody to find it.
func testHome(t *testing.T, edit func(*config.Config)) *state.State {
	t.Helper()
	c := config.Default()
	c.Mesh = "test"
	c.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	c.APIListen, c.CoAPListen = "127.0.0.1:0", ""
	c.EnableMDNS = false
	c.MirrorInterval = config.MinMirrorInterval
	if edit != nil {
		edit(&c)
	}
	h, err := state.Init(filepath.Join(t.TempDir(), "home"), c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// quiet keeps what nodes log out of the test's output, unless EDGEISTRY_TEST_LOG asks for it.
func quiet() *slog.Logger {
	if os.Getenv("EDGEISTRY_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

// startNode runs a node on a home until the test ends and waits until it is ready.
func startNode(t *testing.T, h *state.State) (*Node, *api.Client) {
	t.Helper()
	ready := make(chan *api.Status, 1)
	n, err := New(t.Context(), h, Config{Version: "test", Logger: quiet(), Ready: func(s *api.Status) { ready <- s }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	select {
	case s := <-ready:
		if !s.Ready {
			t.Errorf("the status of a ready node says that it is not")
		}
	case <-time.After(patience):
		t.Fatalf("not ready: %s", n.NotReady())
	}
	eventually(t, "joining the mesh", func() error {
		if why := n.NotInMesh(); why != "" {
			return errors.New(why)
		}
		return nil
	})
	c, err := api.Dial(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return n, c
}

// seedOf returns the address by which others join the mesh at n.
func seedOf(n *Node) string {
	return mesh.Addrs(n.host)[0]
}

// eventually tries until check succeeds, within patience.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		<-tick.C
	}
}

// TestNoLeak starts and stops whole nodes: after the first, which sets up what a process has once, nothing may remain.
func TestNoLeak(t *testing.T) {
	h := testHome(t, func(c *config.Config) {
		c.CoAPListen = "127.0.0.1:0"
		c.Listen = append(c.Listen, "/ip4/127.0.0.1/udp/0/quic-v1")
	})
	round := func() {
		n, err := New(t.Context(), h, Config{Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		c, err := api.Dial(h)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		tailed := make(chan error, 1)
		go func() {
			tailed <- c.Tail(ctx, api.ReadRequest{Log: "events", Last: 1}, nil, func(api.Entry) error { cancel(); return nil })
		}()
		<-tailed
		cancel()
		if err := errors.Join(n.Close(), n.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := h.API.Get(); !errors.Is(err, state.ErrNotFound) {
			t.Errorf("the file api outlives a clean stop: %v", err)
		}
	}
	round()
	goroutines, files := settled(), openFiles(t)
	for range 3 {
		round()
	}
	eventually(t, "goroutines and files after three nodes", func() error {
		if g, f := runtime.NumGoroutine(), openFiles(t); g > goroutines || f > files {
			buf := make([]byte, 1<<20)
			return fmt.Errorf("%d goroutines, %d files; %d and %d before\n%s", g, f, goroutines, files, buf[:runtime.Stack(buf, true)])
		}
		return nil
	})
}

// settled returns the number of goroutines when it has stopped to fall.
func settled() int {
	least := runtime.NumGoroutine()
	for since := time.Now(); time.Since(since) < 500*time.Millisecond; {
		if g := runtime.NumGoroutine(); g < least {
			least, since = g, time.Now()
		}
		runtime.Gosched()
	}
	return least
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux
	}
	return len(entries)
}

func TestSecondNode(t *testing.T) {
	h := testHome(t, nil)
	startNode(t, h)
	_, err := New(t.Context(), h, Config{Logger: quiet()})
	var locked *state.LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("second node on one home: %v, want LockedError with process %d", err, os.Getpid())
	}
	if _, err := h.API.Get(); err != nil {
		t.Errorf("the second node harmed the first: %v", err)
	}
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := testHome(t, func(c *config.Config) { c.APIListen = l.Addr().String() })
	if _, err := New(t.Context(), h, Config{Logger: quiet()}); err == nil || !strings.Contains(err.Error(), "api_listen") {
		t.Errorf("a taken API port: %v, want what to change", err)
	}
}

func TestRunStops(t *testing.T) {
	h := testHome(t, nil)
	for _, how := range []string{"context", "api"} {
		t.Run(how, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ready, done := make(chan struct{}), make(chan error, 1)
			go func() {
				done <- Run(ctx, h, Config{Logger: quiet(), Ready: func(*api.Status) { close(ready) }})
			}()
			select {
			case <-ready:
			case err := <-done:
				t.Fatal(err)
			case <-time.After(patience):
				t.Fatal("not ready")
			}
			if how == "context" {
				cancel()
			} else {
				c, err := api.Dial(h)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if err := c.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run = %v, want nil", err)
				}
			case <-time.After(patience):
				t.Fatal("Run does not end")
			}
		})
	}
}

// TestLogSurvives appends, restarts, and reads: entries, receipts and the idempotency of producers are still there.
func TestLogSurvives(t *testing.T) {
	h := testHome(t, nil)
	n, c := startNode(t, h)
	zero := uint32(0)
	first, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("one"), Producer: "p", ProducerSeq: 1, Expect: &zero})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("two"), Expect: &zero}); err == nil {
		t.Errorf("an append to another head than expected was taken")
	} else if e := asAPIError(err); e.Head == nil || e.Head.Sequence != 1 {
		t.Errorf("conflict %v does not give the head", err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	_, c = startNode(t, h)
	again, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: []byte("one"), Producer: "p", ProducerSeq: 1})
	if err != nil || *again != *first {
		t.Errorf("retry after the restart = %+v, %v, want %+v", again, err, first)
	}
	r, err := c.Read(t.Context(), api.ReadRequest{Log: "events"})
	if err != nil || len(r.Entries) != 1 || string(r.Entries[0].Payload) != "one" || r.Entries[0].Hash != first.Hash || r.By != "this node" {
		t.Errorf("Read = %+v, %v", r, err)
	}
	if _, err := c.Read(t.Context(), api.ReadRequest{Log: "nothing"}); api.KindOf(err) != api.NotFound {
		t.Errorf("reading a log that is not there: %v", err)
	}
}

func TestFail(t *testing.T) {
	n, _ := startNode(t, testHome(t, nil))
	cause := errors.New("disk is gone")
	n.fail(cause)
	n.fail(errors.New("another"))
	<-n.Stopped()
	if !errors.Is(n.Err(), cause) || n.NotReady() == "" {
		t.Errorf("after a failure: Err %v, not ready %q", n.Err(), n.NotReady())
	}
}
