package node

import (
	"time"

	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
)

// legs places the timings of a trace one after the other. Nobody's clock is compared with another's: resolve comes first, the
// mesh spans what the home node does, and within that queue, link and device follow each other.
func legs(timings []coap.Timing, total time.Duration) []api.Leg {
	if len(timings) == 0 {
		return nil
	}
	took := make(map[coap.Leg]time.Duration)
	for _, t := range timings {
		took[t.Leg] += t.Took
	}
	at := time.Duration(0)
	var out []api.Leg
	add := func(l coap.Leg, at time.Duration) {
		out = append(out, api.Leg{Name: l.String(), US: took[l].Microseconds(), At: at.Microseconds()})
	}
	has := func(l coap.Leg) bool { _, ok := took[l]; return ok }
	if has(coap.LegResolve) {
		add(coap.LegResolve, at)
		at += took[coap.LegResolve]
	}
	if has(coap.LegMesh) {
		add(coap.LegMesh, at)
		at += max(0, took[coap.LegMesh]-took[coap.LegHome]) / 2
	}
	if has(coap.LegHome) {
		add(coap.LegHome, at)
	}
	for _, l := range []coap.Leg{coap.LegQueue, coap.LegLink, coap.LegDevice} {
		if has(l) {
			add(l, at)
			at += took[l]
		}
	}
	return append(out, api.Leg{Name: "total", US: total.Microseconds()})
}
