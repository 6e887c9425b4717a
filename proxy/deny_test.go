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
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/denylist"
	"github.com/edgeistry/edgeistry/proxy"
)

func move(t *testing.T) *coap.Message {
	t.Helper()
	m, err := coap.NewRequest(coap.CodePOST, "/f/valve", nil, []byte{20})
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
	var denied *client.Denied
	if !errors.As(err, &denied) || denied.Reason != capability.ReasonDenyListed || denied.ByDevice || denied.Code != coap.CodeForbidden {
		t.Errorf("%s: %v, want an untagged 4.03 with reason 28", what, err)
	}
}

// TestDeny denies a capability whose session is open: its next request, and a new session, get no further than the proxy. The owner goes on.
func TestDeny(t *testing.T) {
	p, l := greenhouse(t, proxy.Config{})
	anna, owner := narrowed(t), capability.Owner(service, epochKey, 1)
	caller := client.New(client.Config{})
	for _, c := range []*capability.Capability{anna, owner} {
		if _, err := caller.Call(bounded(t), p.Local(), c, client.Request{Message: move(t)}); err != nil {
			t.Fatal(err)
		}
	}
	p.Deny(service, []denylist.Fingerprint{denylist.Of(anna)})
	asked := l.count()
	_, err := caller.Call(bounded(t), p.Local(), anna, client.Request{Message: move(t)})
	wantDenied(t, "in its session", err)
	if l.count() != asked {
		t.Errorf("the device saw %d requests of a denied session", l.count()-asked)
	}
	_, err = client.New(client.Config{}).Call(bounded(t), p.Local(), anna, client.Request{Message: move(t)})
	wantDenied(t, "opening", err)
	var gone *client.Denied // the owner's session has to be opened anew: a question does so by itself
	if _, err := caller.Call(bounded(t), p.Local(), owner, client.Request{Message: client.Harmless()}); !errors.As(err, &gone) || !gone.ByDevice {
		t.Errorf("a question of the owner: %v, want the device's answer", err)
	}
	if _, err := caller.Call(bounded(t), p.Local(), owner, client.Request{Message: move(t)}); err != nil {
		t.Errorf("the owner after that: %v", err)
	}
	if _, err := client.New(client.Config{}).Call(proxy.Foremost(bounded(t)), p.Local(), anna, client.Request{Message: move(t)}); err != nil {
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
	caller := client.New(client.Config{})
	if _, err := caller.Call(bounded(t), p.Local(), owner, client.Request{Message: move(t)}); err != nil {
		t.Fatal(err)
	}
	l.device.Reboot() // its first slot again
	if _, err := caller.Call(bounded(t), p.Local(), anna, client.Request{Message: move(t)}); err != nil {
		t.Fatal(err)
	}
	p.Deny(service, []denylist.Fingerprint{denylist.Of(anna)})
	asked := l.count()
	_, err := caller.Call(bounded(t), p.Local(), anna, client.Request{Message: client.Harmless()})
	wantDenied(t, "in the slot", err)
	if l.count() != asked {
		t.Errorf("the device saw %d requests of a denied session", l.count()-asked)
	}
	var answered *client.Denied
	if _, err := caller.Call(bounded(t), p.Local(), owner, client.Request{Message: client.Harmless()}); !errors.As(err, &answered) || !answered.ByDevice {
		t.Errorf("the owner, who has lost the slot: %v, want the device's answer", err)
	}
}

// TestDenyWhileQueued denies a capability while its request waits for the device's turn.
func TestDenyWhileQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, l := greenhouse(t, proxy.Config{})
		anna := narrowed(t)
		caller := client.New(client.Config{})
		if _, err := caller.Call(bounded(t), p.Local(), anna, client.Request{Message: move(t)}); err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		l.before = func(_ context.Context, req *coap.Message) (*coap.Message, error) {
			if req.Path() == "/h" {
				<-release
			}
			return nil, nil
		}
		go func() { _ = p.ServeCoAP(t.Context(), local, request(t, coap.CodePOST, "/h", make([]byte, 20))) }()
		synctest.Wait()
		result := make(chan error, 1)
		go func() {
			_, err := caller.Call(bounded(t), p.Local(), anna, client.Request{Message: move(t)})
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
		var l *testLink
		p, l = greenhouse(t, proxy.Config{First: func(ctx context.Context, id edgeistry.ServiceID) error {
			if delivered.Load() {
				return nil
			}
			if id != service {
				t.Errorf("First is asked for %s", id)
			}
			if resp, err := p.Local().Do(proxy.Foremost(ctx), request(t, coap.CodePOST, "/h", make([]byte, 20))); err != nil || resp.Code == coap.CodeGatewayTimeout {
				return coap.ErrTimeout
			}
			delivered.Store(true)
			return nil
		}})
		asleep := true
		l.before = func(context.Context, *coap.Message) (*coap.Message, error) {
			if asleep {
				time.Sleep(time.Second)
				return nil, coap.ErrTimeout
			}
			return nil, nil
		}
		hello := func() *coap.Message {
			return p.ServeCoAP(t.Context(), mesh, request(t, coap.CodePOST, "/h", make([]byte, 20)))
		}
		wantCode(t, "while it sleeps", hello(), coap.CodeGatewayTimeout)
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

// verifier is a service of this node, or the mirror of one, and counts what reaches it.
type verifier struct {
	guard *capability.Guard
	asked int
}

func newVerifier(t *testing.T, mirror bool) *verifier {
	t.Helper()
	g, err := capability.NewGuard(capability.GuardConfig{
		Hint: service.Hint(), Epoch: 1, Boot: 1, CookieKey: [32]byte{1}, BranchKey: epochKey.BranchKeys(1), Mirror: mirror,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &verifier{guard: g}
}

func (v *verifier) ServeCoAP(_ context.Context, _ coap.Source, req *coap.Message) *coap.Message {
	v.asked++
	now := capability.Now{Tick: 1000}
	if capability.IsHello(req) {
		return v.guard.AnswerHello(req, now)
	}
	a, resp := v.guard.Check(req, now)
	if a == nil {
		return resp
	}
	return a.Answer(&coap.Message{Code: coap.CodeContent}, now)
}

// TestDenyOnEntry denies a capability whose session a mirror, or a service of this node, has opened: of what comes under it from then on the
// verifier sees a hello, which shows no capability, and nothing else. The answer alone would not do: what is refused there has been carried out.
func TestDenyOnEntry(t *testing.T) {
	for _, mirror := range []bool{true, false} {
		v := newVerifier(t, mirror)
		p, l := greenhouse(t, proxy.Config{})
		branch := uint8(1)
		if mirror {
			branch = capability.BranchMirror
			if err := p.HostMirror(service, v); err != nil {
				t.Fatal(err)
			}
		} else {
			p.RemoveDevice(service)
			if err := p.Host(service, v); err != nil {
				t.Fatal(err)
			}
		}
		anna, err := capability.Mint(service, epochKey.Branch(1, branch, 0), capability.Header{Branch: branch, Epoch: 1}, nil)
		if err != nil {
			t.Fatal(err)
		}
		read := func(caller *client.Caller) error {
			m, err := coap.NewRequest(coap.CodeGET, "/l/temperature", nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, err = caller.Call(bounded(t), p.Local(), anna, client.Request{Message: m, Mirror: mirror})
			return err
		}
		caller := client.New(client.Config{})
		if err := read(caller); err != nil {
			t.Fatal(err)
		}
		p.Deny(service, []denylist.Fingerprint{denylist.Of(anna)})
		before := v.asked
		wantDenied(t, "in its session", read(caller))
		if v.asked != before {
			t.Errorf("mirror %v: the verifier saw %d requests of a denied session", mirror, v.asked-before)
		}
		wantDenied(t, "opening", read(client.New(client.Config{})))
		if v.asked != before+1 {
			t.Errorf("mirror %v: of a denied opening the verifier saw %d requests, want the hello alone", mirror, v.asked-before)
		}
		if l.count() != 0 {
			t.Errorf("mirror %v: the device saw %d requests", mirror, l.count())
		}
	}
}
