package node

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestProofFields reads sequence and boot counter back from requests that package capability protected.
func TestProofFields(t *testing.T) {
	key, err := state.NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	guard, err := newGuard(key, verifier{boot: 77})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	session := greet(t, guard, key.Owner(), capability.Now{Tick: 5})
	for want := uint32(1); want <= 2; want++ {
		m, err := coap.NewRequest(coap.CodeGET, "/l/events", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := session.Protect(m, time.Second, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Sequence(); got != want {
			t.Errorf("sequence = %d, want %d", got, want)
		}
		if boot, ok := p.Boot(); ok != (want == 1) || (ok && boot != 77) {
			t.Errorf("boot of request %d = %d, %t", want, boot, ok)
		}
		a, refusal := guard.Check(m, capability.Now{Tick: 5})
		if a == nil {
			t.Fatalf("refused: %+v", refusal)
		}
		resp := a.Answer(&coap.Message{Code: coap.CodeContent}, capability.Now{Tick: 5})
		if _, err := session.Verify(p, resp, now); err != nil {
			t.Fatal(err)
		}
	}
}

// greet says hello to a guard: the next request opens the session.
func greet(t *testing.T, guard *capability.Guard, c *capability.Capability, now capability.Now) *capability.Session {
	t.Helper()
	hello, err := c.NewHello(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cookie, reason := guard.Hello(hello.Payload(), now)
	if reason != capability.ReasonNone {
		t.Fatal(reason)
	}
	session, err := hello.Open(cookie, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestLegs(t *testing.T) {
	const us = time.Microsecond
	got := legs([]coap.Timing{
		{Leg: coap.LegResolve, Took: 10 * us},
		{Leg: coap.LegMesh, Took: 100 * us},
		{Leg: coap.LegQueue, Took: 5 * us},
		{Leg: coap.LegLink, Took: 20 * us},
		{Leg: coap.LegDevice, Took: 30 * us},
		{Leg: coap.LegHome, Took: 60 * us},
	}, 120*us)
	want := map[string][2]int64{"resolve": {0, 10}, "mesh": {10, 100}, "home": {30, 60}, "queue": {30, 5}, "link": {35, 20}, "device": {55, 30}, "total": {0, 120}}
	if len(got) != len(want) {
		t.Fatalf("legs = %+v", got)
	}
	for _, l := range got {
		if want[l.Name] != [2]int64{l.At, l.US} {
			t.Errorf("leg %s at %d for %d, want %v", l.Name, l.At, l.US, want[l.Name])
		}
	}
	if legs(nil, us) != nil {
		t.Errorf("legs of no trace are not empty")
	}
}

func TestFollowInterval(t *testing.T) {
	for _, tt := range []struct {
		period         uint32
		shortest, want time.Duration
	}{
		{0, 100 * time.Millisecond, idleFollow},
		{1, 2 * time.Second, 2 * time.Second},
		{1, 100 * time.Millisecond, 250 * time.Millisecond},
		{10, 2 * time.Second, 2500 * time.Millisecond},
		{3600, 2 * time.Second, maxFollowInterval},
		{10, time.Minute, time.Minute},
	} {
		if got := followInterval(tt.period, tt.shortest); got != tt.want {
			t.Errorf("followInterval(%d, %v) = %v, want %v", tt.period, tt.shortest, got, tt.want)
		}
	}
	for failures, want := range map[int]time.Duration{1: firstRetry, 2: 2 * firstRetry, 100: lastRetry} {
		if got := retryDelay(failures); got != want {
			t.Errorf("retryDelay(%d) = %v, want %v", failures, got, want)
		}
	}
}

// TestAHoldIsSaidExactly: a hold that the wire cannot say is refused, never rounded.
func TestAHoldIsSaidExactly(t *testing.T) {
	_, c := startNode(t, testHome(t, nil))
	for _, ms := range []int{90_000, 30_000, 150, -1, 57 * 60_000} {
		if _, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "POST", Path: "/f/valve", HoldMS: ms}); api.KindOf(err) != api.Usage {
			t.Errorf("hold_ms %d: %v, want usage", ms, err)
		}
	}
	for _, ms := range []int{0, 100, 19_900, 60_000, 120_000} {
		if _, err := c.Call(t.Context(), api.CallRequest{Service: "node", Method: "POST", Path: "/f/valve", HoldMS: ms}); err != nil {
			t.Errorf("hold_ms %d: %v", ms, err)
		}
	}
}
