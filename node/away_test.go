package node

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/api"
)

// TestAway: a device that is known to be off costs a request seconds and no more. What is shown says since when, and --wait waits.
func TestAway(t *testing.T) {
	f := newFarm(t)
	eventually(t, "the copy", func() error {
		if f.node.device(f.id).describe().Logs[0].Head.Sequence == 0 {
			return errors.New("empty")
		}
		return nil
	})
	f.device.Asleep.Store(true)
	eventually(t, "noticed by the home node itself", func() error {
		if _, away := f.node.proxy.Away(f.id); !away {
			return errors.New("not away")
		}
		return nil
	})
	quick := func(what string, limit time.Duration, ask func() error) {
		t.Helper()
		began := time.Now()
		err := ask()
		if took := time.Since(began); took > limit {
			t.Errorf("%s took %v, want at most %v", what, took, limit)
		}
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	valve := api.CallRequest{Service: "greenhouse", Method: "POST", Path: "/f/valve", Payload: []byte{4}}
	quick("call", 4*time.Second, func() error {
		r, err := f.client.Call(t.Context(), valve)
		if err != nil || r.Kind() != api.NotFound || !strings.Contains(r.Message, "away since 20") || strings.Contains(r.Message, "may have run") {
			t.Errorf("call to a device that is off: %+v, %v", r, err)
		}
		return nil
	})
	quick("show", time.Second, func() error {
		s, err := f.client.Show(t.Context(), "greenhouse")
		if err == nil && (s.Reachable || !strings.HasPrefix(s.Problem, "away since 20") || s.Logs[0].Head == nil || !s.Logs[0].Copy) {
			t.Errorf("show: %+v", s)
		}
		return err
	})
	quick("ping", 4*time.Second, func() error {
		p, err := f.client.Ping(t.Context(), api.PingRequest{Target: "greenhouse", Count: 1})
		if err == nil && (p.Conn != "this node" || p.ServiceMS != 0 || !strings.Contains(p.ServiceProblem, "away since 20")) {
			t.Errorf("ping says that a device which is off answers: %+v", p)
		}
		return err
	})
	quick("ls", time.Second, func() error {
		d, err := f.client.Devices(t.Context())
		if err == nil && (d[0].Reachable || !strings.HasPrefix(d[0].Problem, "away since 20")) {
			t.Errorf("devices: %+v", d)
		}
		return err
	})
	quick("read", 4*time.Second, func() error {
		r, err := f.client.Read(t.Context(), api.ReadRequest{Service: "greenhouse", Log: "temperature", Last: 1})
		if err == nil && (len(r.Entries) != 1 || r.Copy == nil || !strings.Contains(r.Copy.Away, "away since 20")) {
			t.Errorf("read: %+v", r)
		}
		return err
	})
	waited := make(chan error, 1)
	go func() {
		valve.Wait, valve.TimeoutMS = true, int(patience.Milliseconds())
		r, err := f.client.Call(t.Context(), valve)
		if err == nil {
			err = r.Err()
		}
		waited <- err
	}()
	f.device.Asleep.Store(false)
	if err := <-waited; err != nil {
		t.Errorf("call that waits: %v", err)
	}
	if p, err := f.client.Ping(t.Context(), api.PingRequest{Target: "greenhouse", Count: 1}); err != nil || p.ServiceMS == 0 || p.ServiceProblem != "" {
		t.Errorf("ping of a device that is there: %+v, %v", p, err)
	}
	if moves, _ := f.device.Moves(); moves != 1 {
		t.Errorf("%d moves, want 1", moves)
	}
}

// TestTailOverRestarts follows a log under a capability with an end while its device starts anew, again and again.
func TestTailOverRestarts(t *testing.T) {
	f := newFarm(t)
	until, err := f.key().Owner().Attenuate(rand.Reader, capability.FrameSpec{Limits: []capability.Limit{{
		Type: capability.TypeExpiry, Unix: uint32(time.Now().Add(time.Hour).Unix()),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	const restarts = 8
	boots := make(map[uint32]bool)
	request := api.ReadRequest{Service: "greenhouse", Log: "temperature", From: 1, Capability: until.Text(), Direct: true}
	err = f.client.Tail(ctx, request, nil, func(e api.Entry) error {
		if e.Sequence == 3 && !boots[e.Incarnation] { // the last that it has
			if boots[e.Incarnation] = true; len(boots) > restarts {
				return errDone
			}
			f.device.Reboot()
		}
		return nil
	})
	if !errors.Is(err, errDone) {
		t.Errorf("tail ended after %d starts: %v", len(boots), err)
	}
}

var errDone = errors.New("done")
