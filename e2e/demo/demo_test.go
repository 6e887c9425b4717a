package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
)

// TestDemo runs the whole demo on real parts and asserts what each step is there to show. It needs `make build firmware`.
func TestDemo(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var shown strings.Builder
	d := newDemo(newPrinter(&shown), "../..", t.TempDir())
	err := d.play(ctx)
	if closeErr := d.close(); closeErr != nil {
		t.Errorf("closing: %v", closeErr)
	}
	if err != nil {
		t.Fatalf("%v\n\nwhat it showed:\n%s", err, shown.String())
	}
	f := d.facts
	check := func(ok bool, format string, args ...any) {
		t.Helper()
		if !ok {
			t.Errorf(format, args...)
		}
	}
	check(strings.HasPrefix(f.EdgeReach, "relayed through 12D3"), "the edge is reached %q, want relayed through a node", f.EdgeReach)
	check(strings.Contains(f.CallerReach, "relayed through 12D3"), "the caller reaches the edge %q, want relayed through a node", f.CallerReach)
	for name, id := range f.Services {
		check(strings.HasPrefix(id, "k51"), "%s is %q, want k51...", name, id)
		check(f.ResolvedFrom[name] == "dht", "%s resolved from %q, want the DHT", name, f.ResolvedFrom[name])
	}
	check(len(f.Services) == 2, "%d services, want 2", len(f.Services))
	check(f.TokenPrefix == "ecap1_", "token starts %q, want ecap1_", f.TokenPrefix)
	check(strings.Contains(f.Inspection, "ATmega328P") && strings.Contains(f.Inspection, "0..30"), "inspection does not show the bound and the cost:\n%s", f.Inspection)
	check(f.NetworkOff != "", "the network was never off")
	check(f.ReadBy == "device" && len(f.Readings) > 0, "%d readings by %q, want some by the device", len(f.Readings), f.ReadBy)
	check(f.Valve.Code == "2.04" && f.Valve.Tagged, "valve 20: %+v, want 2.04, tagged by the device", f.Valve)
	check(f.Widened.Tagged && f.Widened.Code == "4.03" && f.Widened.Frame == 2, "valve 90: %+v, want a tagged 4.03 by frame 2", f.Widened)
	check(f.Expired.Tagged && f.Expired.Code == "4.03" && f.Expired.Frame == 3, "after the lease: %+v, want a tagged 4.03 by frame 3", f.Expired)
	check(len(f.Flipped) > 4 && f.Flipped[1] == 0x81 && f.Flipped[len(f.Flipped)-1] == byte(capability.ReasonTag), "the altered request was answered %x, want 4.01 with reason 6", f.Flipped)
	check(len(f.Replayed) > 1 && f.Replayed[1] == 0x44, "the repeated request was answered %x, want 2.04, the stored answer", f.Replayed)
	check(!f.Altered.Tagged && f.Altered.Code == "4.01", "the caller was told %+v of the altered request, want an untagged 4.01", f.Altered)
	check(slices.Equal(f.Moves, []int{25}), "the valve moved to %v for an altered, a genuine and a repeated request, want [25]", f.Moves)
	check(f.CloudOutputs >= 5 && f.CloudEntries >= f.CloudOutputs, "%d handled and %d outputs in the cloud", f.CloudEntries, f.CloudOutputs)
	check(f.NewAfterKill >= 2 && !f.Gap, "after the kill %d new entries, gap %v", f.NewAfterKill, f.Gap)
	check(f.ChipLines >= 8, "%d lines from the chip, want one a request", f.ChipLines)
	check(len(f.Timeline) >= 3, "timeline %+v, want at least three legs", f.Timeline)
}
