package node

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestStopWhileAdding stops a node while devices and copied logs are being added: Close ends all that were added, and what comes later
// is refused. Under -race it also checks that the maps are not walked while they change.
func TestStopWhileAdding(t *testing.T) {
	h := testHome(t, nil)
	n, _ := startNode(t, h)
	mirror, err := capability.Parse(mirrorOf(t, h.Keys.Own()))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var added atomic.Int32
	var closed atomic.Bool
	var refused [2]error
	wg.Go(func() {
		for i := 0; refused[0] == nil && i < maxPulls && !closed.Load(); i++ {
			id := logstore.LogID{Service: h.Keys.Own().ID, Name: fmt.Sprintf("copy%d", i)}
			refused[0] = n.addPull(t.Context(), id, mirror)
			added.Add(1)
		}
	})
	wg.Go(func() {
		for refused[1] == nil && !closed.Load() {
			refused[1] = addUnreachable(t, n)
			added.Add(1)
		}
	})
	eventually(t, "some are added", func() error {
		if got := added.Load(); got < 8 {
			return fmt.Errorf("%d so far", got)
		}
		return nil
	})
	if err := n.Close(); err != nil {
		t.Error(err)
	}
	closed.Store(true)
	wg.Wait()
	for i, err := range []error{n.addPull(t.Context(), logstore.LogID{Service: h.Keys.Own().ID, Name: "late"}, mirror), addUnreachable(t, n)} {
		if !errors.Is(err, errStopping) {
			t.Errorf("kind %d, after the node has stopped: %v, want %v", i, err, errStopping)
		}
	}
	for id, p := range n.pulls {
		select {
		case <-p.done:
		default:
			t.Errorf("the copy of %v goes on", id)
		}
	}
}

// addUnreachable adds a device that nobody can reach.
func addUnreachable(t *testing.T, n *Node) error {
	key, err := state.NewServiceKey()
	if err != nil {
		return err
	}
	if err := n.state.Keys.Save(key); err != nil {
		return err
	}
	reader, err := newReader(key)
	if err != nil {
		return err
	}
	address := "udp:127.0.0.1:9"
	l, err := link.Open(address, link.Config{Logger: quiet()})
	if err != nil {
		return err
	}
	d, err := n.addDevice(t.Context(), state.Device{Service: key.ID, Link: address, Claimed: time.Now(), Reader: reader}, l)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	n.follow(d)
	return nil
}

// TestStopMidway stops a node in the middle of a claim, of a revocation, and of setting a device's clock back: Close returns after the
// call has.
func TestStopMidway(t *testing.T) {
	for _, what := range []string{"claim", "revocation", "clock"} {
		t.Run(what, func(t *testing.T) {
			n, c := startNode(t, testHome(t, nil))
			var lose atomic.Bool
			asked := make(chan struct{}, 1)
			_, setup, at := greenhouse(t, func(*coap.Message) bool {
				if !lose.Load() {
					return false
				}
				select {
				case asked <- struct{}{}:
				default:
				}
				return true
			})
			call := func() error {
				_, err := n.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: at, Name: "greenhouse"}, nil)
				return err
			}
			if what != "claim" {
				if _, err := c.Claim(t.Context(), api.ClaimRequest{SetupCode: setup, Link: at, Name: "greenhouse"}, nil); err != nil {
					t.Fatal(err)
				}
				call = func() error {
					_, err := n.Revoke(t.Context(), api.RevokeRequest{Capability: "greenhouse/owner", Epoch: true})
					return err
				}
			}
			if what == "clock" {
				call = func() error {
					_, err := n.DeviceClock(t.Context(), api.DeviceClockRequest{Device: "greenhouse", Set: true})
					return err
				}
			}
			lose.Store(true)
			var over atomic.Bool
			done := make(chan error, 1)
			go func() {
				err := call()
				over.Store(true)
				done <- err
			}()
			<-asked
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			if !over.Load() {
				t.Errorf("Close returned while the %s was under way", what)
			}
			if err := <-done; what == "claim" && err == nil {
				t.Error("a claim that was cut off succeeded")
			}
		})
	}
}

// TestStoppedRefusesChanges: once a node has stopped, no call changes what it keeps.
func TestStoppedRefusesChanges(t *testing.T) {
	n, _ := startNode(t, testHome(t, nil))
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for _, action := range []string{"pause", "resume", "skip", "remove"} {
		if _, err := n.ChangeFunction(t.Context(), action, api.FunctionRequest{Name: "mean"}); !errors.Is(err, errStopping) {
			t.Errorf("%s: %v, want %v", action, err, errStopping)
		}
	}
	if _, err := n.DeviceClock(t.Context(), api.DeviceClockRequest{Device: "greenhouse", Set: true}); !errors.Is(err, errStopping) {
		t.Errorf("set a clock: %v, want %v", err, errStopping)
	}
}
