package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/api"
)

// maxLines is what fits on two screens, with the terminal as high as a screen allows.
const maxLines = 130

// TestDemo runs the whole demo on real parts and asserts what each step is there to show. It needs `make build firmware`.
func TestDemo(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var shown strings.Builder
	dir := t.TempDir()
	d := newDemo(newPrinter(&shown, dir), "../..", dir)
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
	check(d.out.step == 10, "%d steps, want 10", d.out.step)
	lines := strings.Count(shown.String(), "\n")
	check(lines <= maxLines, "%d lines, want at most %d: two screens", lines, maxLines)
	check(strings.HasPrefix(f.EdgeReach, "relayed through 12D3"), "the edge is reached %q, want relayed through a node", f.EdgeReach)
	for name, id := range f.Services {
		check(strings.HasPrefix(id, "k51"), "%s is %q, want k51...", name, id)
		check(f.ResolvedFrom[name] == "dht", "%s resolved from %q, want the DHT", name, f.ResolvedFrom[name])
	}
	check(len(f.Services) == 2, "%d services, want 2", len(f.Services))
	check(f.TokenPrefix == "ecap1_", "token starts %q, want ecap1_", f.TokenPrefix)
	check(strings.Contains(f.Inspection, "ATmega328P") && strings.Contains(f.Inspection, "0..30"), "inspection does not show the bound and the cost:\n%s", f.Inspection)
	check(f.NetworkOff != "", "the network was never off")
	check(f.ReadBy == "device" && len(f.Readings) > 0, "%d readings by %q, want some by the device", len(f.Readings), f.ReadBy)
	check(f.Refused == 6, "%d calls were refused, want 6: beyond the bound, without the word, altered, after the word, on the deny list, of an ended generation", f.Refused)
	check(len(f.Flipped) > 4 && f.Flipped[1] == 0x81 && f.Flipped[len(f.Flipped)-1] == byte(capability.ReasonTag), "the altered request was answered %x, want 4.01 with reason 6", f.Flipped)
	check(len(f.Replayed) > 1 && f.Replayed[1] == 0x44, "the repeated request was answered %x, want 2.04, the stored answer", f.Replayed)
	check(slices.Equal(f.Moves, []int{20, 40, 25}), "the valve moved to %v, want 20, 40, 25", f.Moves)
	check(f.CloudOutputs >= 5 && f.CloudEntries >= f.CloudOutputs, "%d handled and %d outputs in the cloud", f.CloudEntries, f.CloudOutputs)
	check(f.NewAfterKill >= 2 && !f.Gap, "after the kill %d new entries, gap %v", f.NewAfterKill, f.Gap)
	check(len(f.Timeline) >= 3, "timeline %+v, want at least three legs", f.Timeline)
	check(f.Waited.State == api.RevokedWaiting, "revoked while the chip is away: %+v, want it to wait", f.Waited)
	check(f.Confirmed.State == api.RevokedDone && *f.Confirmed.Branch == 2 && *f.Confirmed.Generation == 1, "revoked, with the chip back: %+v, want generation 1 of branch 2 done", f.Confirmed)
}
