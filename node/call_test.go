package node

import (
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
)

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
