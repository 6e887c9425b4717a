package proxy_test

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/denylist"
	"github.com/edgeistry/edgeistry/proxy"
)

func move(t *testing.T) *capability.Message {
	t.Helper()
	m, err := coap.NewRequest(capability.CodePOST, "/f/valve", nil, []byte{20})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func narrowed(t *testing.T) *capability.Capability {
	t.Helper()
	c, err := capability.Owner(service, epochKey, 1).Attenuate(rand.Reader, capability.FrameSpec{Grants: []capability.Grant{{Operations: capability.Call, Name: "valve"}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantDenied checks that a call was refused with reason 28, without proof.
func wantDenied(t *testing.T, what string, err error) {
	t.Helper()
	var denied *coap.Denied
	if !errors.As(err, &denied) || denied.Reason != capability.ReasonDenyListed || denied.ByDevice || denied.Code != capability.CodeForbidden {
		t.Errorf("%s: %v, want an untagged 4.03 with reason 28", what, err)
	}
}

// TestDeny denies a capability whose session is open: its next request, and a new session, get no further than the proxy. The owner goes on.
func TestDeny(t *testing.T) {
	p, l := greenhouse(t, proxy.Config{})
	anna, owner := narrowed(t), capability.Owner(service, epochKey, 1)
	caller := coap.NewCaller(coap.CallerConfig{})
	for _, c := range []*capability.Capability{anna, owner} {
		if _, err := caller.Call(bounded(t), p.Local(), c, coap.Request{Message: move(t)}); err != nil {
			t.Fatal(err)
		}
	}
	p.Deny(service, []denylist.Fingerprint{denylist.Of(anna)})
	asked := l.count()
	_, err := caller.Call(bounded(t), p.Local(), anna, coap.Request{Message: move(t)})
	wantDenied(t, "in its session", err)
	if l.count() != asked {
		t.Errorf("the device saw %d requests of a denied session", l.count()-asked)
	}
	_, err = coap.NewCaller(coap.CallerConfig{}).Call(bounded(t), p.Local(), anna, coap.Request{Message: move(t)})
	wantDenied(t, "opening", err)
	var gone *coap.Denied // the owner's session has to be opened anew: a question does so by itself
	if _, err := caller.Call(bounded(t), p.Local(), owner, coap.Request{Message: coap.Harmless()}); !errors.As(err, &gone) || !gone.ByDevice {
		t.Errorf("a question of the owner: %v, want the device's answer", err)
	}
	if _, err := caller.Call(bounded(t), p.Local(), owner, coap.Request{Message: move(t)}); err != nil {
		t.Errorf("the owner after that: %v", err)
	}
	if _, err := coap.NewCaller(coap.CallerConfig{}).Call(proxy.Foremost(bounded(t)), p.Local(), anna, coap.Request{Message: move(t)}); err != nil {
		t.Errorf("a request that goes before all: %v", err)
	}
	if moves, _ := l.device.Moves(); moves != 4 {
		t.Errorf("the valve moved %d times, want 4", moves)
	}
}

// TestDenyAfterSlotLost denies a capability that has taken the slot of the owner's session, of which the owner does not know: the owner goes on.
func TestDenyAfterSlotLost(t *testing.T) {
	p, l := greenhouse(t, proxy.Config{})
	anna, owner := narrowed(t), capability.Owner(service, epochKey, 1)
	caller := coap.NewCaller(coap.CallerConfig{})
	if _, err := caller.Call(bounded(t), p.Local(), owner, coap.Request{Message: move(t)}); err != nil {
		t.Fatal(err)
	}
	l.device.Reboot() // its first slot again
	if _, err := caller.Call(bounded(t), p.Local(), anna, coap.Request{Message: move(t)}); err != nil {
		t.Fatal(err)
	}
	p.Deny(service, []denylist.Fingerprint{denylist.Of(anna)})
	asked := l.count()
	_, err := caller.Call(bounded(t), p.Local(), anna, coap.Request{Message: coap.Harmless()})
	wantDenied(t, "in the slot", err)
	if l.count() != asked {
		t.Errorf("the device saw %d requests of a denied session", l.count()-asked)
	}
	var answered *coap.Denied
	if _, err := caller.Call(bounded(t), p.Local(), owner, coap.Request{Message: coap.Harmless()}); !errors.As(err, &answered) || !answered.ByDevice {
		t.Errorf("the owner, who has lost the slot: %v, want the device's answer", err)
	}
}

// TestDenyWhileQueued denies a capability while its request waits for the device's turn.
func TestDenyWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, l := greenhouse(t, proxy.Config{})
		anna := narrowed(t)
		caller := coap.NewCaller(coap.CallerConfig{})
		if _, err := caller.Call(bounded(t), p.Local(), anna, coap.Request{Message: move(t)}); err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		l.before = func(_ context.Context, req *capability.Message) (*capability.Message, error) {
			if req.Path() == "/h" {
				<-release
			}
			return nil, nil
		}
		go func() { _ = p.ServeCoAP(t.Context(), local, request(t, capability.CodePOST, "/h", make([]byte, 20))) }()
		synctest.Wait()
		result := make(chan error, 1)
		go func() {
			_, err := caller.Call(bounded(t), p.Local(), anna, coap.Request{Message: move(t)})
			result <- err
		}()
		synctest.Wait()
		p.Deny(service, []denylist.Fingerprint{denylist.Of(anna)})
		close(release)
		wantDenied(t, "after the wait", <-result)
		if moves, _ := l.device.Moves(); moves != 1 {
			t.Errorf("the valve moved %d times, want 1", moves)
		}
	})
}

// TestFirst lets nothing reach the device before what goes first has succeeded, but that itself.
func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var delivered atomic.Bool
		var p *proxy.Proxy
		var l *link
		p, l = greenhouse(t, proxy.Config{First: func(ctx context.Context, id edgeistry.ServiceID) error {
			if delivered.Load() {
				return nil
			}
			if id != service {
				t.Errorf("First is asked for %s", id)
			}
			if resp, err := p.Local().Do(proxy.Foremost(ctx), request(t, capability.CodePOST, "/h", make([]byte, 20))); err != nil || resp.Code == capability.CodeGatewayTimeout {
				return coap.ErrTimeout
			}
			delivered.Store(true)
			return nil
		}})
		asleep := true
		l.before = func(context.Context, *capability.Message) (*capability.Message, error) {
			if asleep {
				time.Sleep(time.Second)
				return nil, coap.ErrTimeout
			}
			return nil, nil
		}
		hello := func() *capability.Message {
			return p.ServeCoAP(t.Context(), mesh, request(t, capability.CodePOST, "/h", make([]byte, 20)))
		}
		wantCode(t, "while it sleeps", hello(), capability.CodeGatewayTimeout)
		if l.count() != 1 {
			t.Errorf("the device was sent %d requests, want the first one alone", l.count())
		}
		asleep = false
		hello()
		if !delivered.Load() || l.count() != 3 {
			t.Errorf("after it woke: delivered %v, %d requests, want 3", delivered.Load(), l.count())
		}
	})
}
