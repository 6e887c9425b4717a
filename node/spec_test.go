package node

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/denylist"
	"github.com/edgeistry/edgeistry/function/wasm"
	"github.com/edgeistry/edgeistry/internal/repository"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
)

// TestSpecNumbers holds docs/spec/api.md and the numbers of this package together. Those of the HTTP server are held by its own.
func TestSpecNumbers(t *testing.T) {
	thousands := func(n int) string { return fmt.Sprintf("%d,%03d", n/1000, n%1000) }
	repository.PageSays(t, "api.md",
		fmt.Sprintf("has not confirmed within %d s is `waiting`", revokeWait/time.Second),
		fmt.Sprintf("is tried again at least every %d s", deliverRetry.Last/time.Second),
		fmt.Sprintf("does not answer within %d s (or half", liveTime/time.Second),
		fmt.Sprintf("of the same service (at most %d)", capability.MaxParts-1),
		fmt.Sprintf("`count` 1..%d}", maxPings),
		fmt.Sprintf("nothing given: the newest %d; at most %s entries", defaultEntries, thousands(maxEntries)),
		fmt.Sprintf("A payload has at most %s bytes", thousands(logstore.MaxPayload)),
		fmt.Sprintf("holds at most %s entries a service", thousands(denylist.MaxEntries)),
		fmt.Sprintf("`module` (at most %d KiB)", wasm.MaxModule>>10),
	)
}

// TestBounds asks for one more than docs/spec/api.md allows, of each number that the node itself checks.
func TestBounds(t *testing.T) {
	n, c := startNode(t, testHome(t, nil))
	own := n.own.ID().String()
	many := make([]string, capability.MaxParts)
	for i := range many {
		many[i] = "node/owner"
	}
	if _, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: make([]byte, logstore.MaxPayload)}); err != nil {
		t.Errorf("a payload of the limit: %v", err)
	}
	for name, err := range map[string]error{
		"payload": func() error {
			_, err := c.Append(t.Context(), api.AppendRequest{Log: "events", Payload: make([]byte, logstore.MaxPayload+1)})
			return err
		}(),
		"pings": func() error {
			_, err := c.Ping(t.Context(), api.PingRequest{Target: own, Count: maxPings + 1})
			return err
		}(),
		"negative pings": func() error {
			_, err := c.Ping(t.Context(), api.PingRequest{Target: own, Count: -1})
			return err
		}(),
		"capabilities": func() error {
			_, err := c.Call(t.Context(), api.CallRequest{Service: own, Method: "GET", Path: "/l/events", Capability: "node/owner", Proof: api.Proof{Also: many}})
			return err
		}(),
		"entries": func() error {
			_, err := c.Read(t.Context(), api.ReadRequest{Log: "events", Last: maxEntries + 1})
			return err
		}(),
		"entries from": func() error {
			_, err := c.Read(t.Context(), api.ReadRequest{Log: "events", From: 1, Count: maxEntries + 1})
			return err
		}(),
		"last with from": func() error {
			_, err := c.Read(t.Context(), api.ReadRequest{Log: "events", From: 1, Last: 1})
			return err
		}(),
		"module": func() error {
			_, err := c.Deploy(t.Context(), api.DeployRequest{Name: "f", Module: make([]byte, wasm.MaxModule+1), On: "events", To: "out"})
			return err
		}(),
		"log name": func() error {
			_, err := c.Append(t.Context(), api.AppendRequest{Log: strings.Repeat("a", 65), Payload: []byte("x")})
			return err
		}(),
	} {
		if api.KindOf(err) != api.Usage {
			t.Errorf("%s: %v, want a usage error", name, err)
		}
	}
}
