package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestReadyWithoutMesh starts a node whose uplink is down: it is ready at once, because it serves its site, and tells that it
// is not in its mesh and why. When the seed comes it is in the mesh, and when it goes it is not any more.
func TestReadyWithoutMesh(t *testing.T) {
	hs := testHome(t, nil)
	seed, _ := startNode(t, hs)
	at := seedOf(seed)
	addr, _, _ := strings.Cut(at, "/p2p/")
	if err := seed.Close(); err != nil {
		t.Fatal(err)
	}
	h := testHome(t, func(c *config.Config) { c.Seeds = []string{at} })
	ready := make(chan *api.Status, 1)
	states := make(chan string, 16)
	n, err := New(t.Context(), h, Config{Logger: quiet(), Ready: func(s *api.Status) { ready <- s }, State: func(s string) { states <- s }})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if s := <-ready; !s.Ready || s.InMesh || s.ReadyMS <= 0 || s.MeshProblem == "" {
		t.Errorf("the status of a node without its mesh = ready %t, in mesh %t, %q", s.Ready, s.InMesh, s.MeshProblem)
	}
	e, err := h.API.Get()
	if err != nil {
		t.Fatal(err)
	}
	code := func(path string) int {
		resp, err := http.Get("http://" + e.Address + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if local, mesh := code("/readyz"), code("/readyz?mesh"); local != 200 || mesh != 503 {
		t.Errorf("readyz = %d, readyz?mesh = %d, want 200 and 503", local, mesh)
	}
	c, err := api.Dial(h)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cause := "connection refused at " + addr
	eventually(t, "the cause", func() error {
		if err := c.InMesh(t.Context()); err == nil || !strings.Contains(err.Error(), cause) {
			return fmt.Errorf("InMesh = %v, want %q", err, cause)
		}
		s, err := c.Status(t.Context())
		if err != nil || len(s.Seeds) != 1 || s.Seeds[0].Cause != "refused" || !strings.Contains(s.Seeds[0].Problem, cause) {
			return fmt.Errorf("Status = %+v, %v", s.Seeds, err)
		}
		return nil
	})
	if got := <-states; !strings.HasPrefix(got, "serves its site; mesh test: the mesh is not joined") {
		t.Errorf("the first state is %q", got)
	}
	if hs, err = state.Open(hs.Dir()); err != nil {
		t.Fatal(err)
	}
	seedConfig(t, hs, addr)
	if hs, err = state.Open(hs.Dir()); err != nil {
		t.Fatal(err)
	}
	seed, _ = startNode(t, hs)
	eventually(t, "joining", func() error { return c.InMesh(t.Context()) })
	if code("/readyz?mesh") != 200 {
		t.Error("readyz?mesh is not 200 in the mesh")
	}
	eventually(t, "the states", func() error {
		select {
		case s := <-states:
			if s == "in mesh test" {
				return nil
			}
			return errors.New(s)
		default:
			return errors.New("no state says that the mesh was joined")
		}
	})
	if err := seed.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the mesh", func() error {
		if code("/readyz?mesh") == 200 || code("/readyz") != 200 {
			return errors.New("still in the mesh, or not ready")
		}
		return nil
	})
}

// seedConfig makes the node of a home listen at a fixed address.
func seedConfig(t *testing.T, h *state.State, addr string) {
	t.Helper()
	c := h.Config()
	c.Listen = []string{addr}
	if err := os.WriteFile(h.Dir()+"/config.yaml", c.Format(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOwnSeed has a node whose only seed is itself: it is alone, and says so, instead of joining for ever.
func TestOwnSeed(t *testing.T) {
	h := testHome(t, nil)
	c := h.Config()
	c.Seeds = []string{"/ip4/127.0.0.1/tcp/7776/p2p/" + h.PeerID().String()}
	if err := os.WriteFile(h.Dir()+"/config.yaml", c.Format(), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := state.Open(h.Dir())
	if err != nil {
		t.Fatal(err)
	}
	n, client := startNode(t, h)
	s, err := client.Status(t.Context())
	if err != nil || s.Standing != standingAlone || !s.InMesh || len(s.Seeds) != 0 {
		t.Errorf("status = %+v, %v, want alone with no seed", s, err)
	}
	if got := n.standingText(); !strings.Contains(got, "alone") {
		t.Errorf("standing = %q", got)
	}
}

// TestNoRawErrors has the errors of the Go runtime that reach people in some text: none keeps the runtime's own words.
func TestNoRawErrors(t *testing.T) {
	for _, err := range []error{
		context.DeadlineExceeded,
		fmt.Errorf("read log: %w", context.DeadlineExceeded),
		fmt.Errorf("resolve: %w", context.Canceled),
		fmt.Errorf("ask: %w", os.ErrDeadlineExceeded),
		fmt.Errorf("ask: %w", coap.ErrTimeout),
		&api.Error{Kind: api.Failed, Message: "no home: context deadline exceeded", Tried: []string{"x: i/o timeout"}},
	} {
		e := asAPIError(err)
		text := e.Message + e.Action + strings.Join(e.Tried, " ") + problemOf(err)
		for _, raw := range []string{"context deadline", "context canceled", "i/o timeout"} {
			if strings.Contains(text, raw) {
				t.Errorf("asAPIError(%v) = %q, with %q in it", err, text, raw)
			}
		}
	}
}
