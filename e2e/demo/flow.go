package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

// flow lets the log run to the cloud, where a function handles each entry.
func (d *demo) flow(ctx context.Context) error {
	d.out.title("The chip's log flows to the cloud, where a WebAssembly function runs on each entry")
	if _, err := d.show(ctx, d.mesh.Edge, outcome{keep: whatAllows}, "cap", "mint", "greenhouse", "--mirror", "--read", temperature, "--save", "greenhouse/archive"); err != nil {
		return err
	}
	if _, err := d.mesh.Edge.Give(ctx, d.mesh.Cloud, "greenhouse/archive"); err != nil {
		return err
	}
	if _, err := d.show(ctx, d.mesh.Cloud, outcome{}, "fn", "deploy", d.module(), "--on", "greenhouse/temperature", "--to", "smoothed", "--window", "4", "--cap", "greenhouse/archive"); err != nil {
		return err
	}
	err := harness.Until(ctx, 40*time.Second, func() error {
		var out api.ReadResult
		if err := d.mesh.Cloud.JSON(ctx, &out, "log", "read", "smoothed", "--last", "100"); err != nil {
			return err
		}
		var functions []api.Function
		if err := d.mesh.Cloud.JSON(ctx, &functions, "fn", "ls"); err != nil {
			return err
		}
		d.facts.CloudOutputs = len(out.Entries)
		if len(functions) != 1 || len(out.Entries) < 5 {
			return fmt.Errorf("%d functions and %d outputs in the cloud, want 1 and at least 5", len(functions), len(out.Entries))
		}
		d.facts.CloudEntries = int(functions[0].Runs)
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := d.show(ctx, d.mesh.Cloud, outcome{says: "running"}, "fn", "ls"); err != nil {
		return err
	}
	_, err = d.show(ctx, d.mesh.Cloud, outcome{says: "from this node"}, "log", "read", "smoothed", "--last", "1")
	return err
}

// kill ends the edge node as a power cut would, while logs grow, and looks for what is missing afterwards.
func (d *demo) kill(ctx context.Context) error {
	d.out.title("The edge node is killed with -9 and comes back; then one request, leg by leg")
	read := func() ([]api.Entry, error) {
		var r api.ReadResult
		err := d.mesh.Edge.JSON(ctx, &r, "log", "read", "greenhouse/temperature", "--last", "200", "--mirror")
		return r.Entries, err
	}
	before, err := read()
	if err != nil {
		return err
	}
	if len(before) == 0 {
		return errors.New("the edge node keeps no entries of the chip's log")
	}
	d.out.command("edge", fmt.Sprintf("kill -9 %d      # %d entries kept, the newest is %d", d.mesh.Edge.Process().PID(), len(before), before[len(before)-1].Sequence))
	if err := d.mesh.Edge.Process().Kill(); err != nil {
		return err
	}
	ready, err := d.mesh.Edge.Start(ctx)
	if err != nil {
		return err
	}
	var after []api.Entry
	err = harness.Until(ctx, 40*time.Second, func() error {
		if after, err = read(); err != nil {
			return err
		}
		d.facts.NewAfterKill = len(after) - len(before)
		if d.facts.NewAfterKill < 2 {
			return fmt.Errorf("%d entries, want at least %d", len(after), len(before)+2)
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.facts.KeptAfterKill = 0
	for i, e := range before {
		if i < len(after) && same(e, after[i]) {
			d.facts.KeptAfterKill++
		}
	}
	d.facts.Gap = slices.ContainsFunc(after[1:], func(e api.Entry) bool { return e.Gap })
	d.out.text("ready again after %.0f ms; %d of %d entries still there, %d new ones, gap: %v", float64(ready.Microseconds())/1000, d.facts.KeptAfterKill, len(before), d.facts.NewAfterKill, d.facts.Gap)
	if d.facts.KeptAfterKill != len(before) {
		return fmt.Errorf("%d of %d entries survived", d.facts.KeptAfterKill, len(before))
	}
	return d.showTimeline(ctx)
}

func same(a, b api.Entry) bool {
	return a.Incarnation == b.Incarnation && a.Sequence == b.Sequence && a.Hash == b.Hash && bytes.Equal(a.Payload, b.Payload)
}

func (d *demo) showTimeline(ctx context.Context) error {
	call := []string{"call", "greenhouse/valve", "5", "--cap", "greenhouse/anna", "--trace"}
	err := harness.Until(ctx, 30*time.Second, func() error { // the relay's circuit is new, and the first call may have to open it
		var result api.CallResult
		err := d.mesh.Caller.JSON(ctx, &result, call...)
		d.facts.Timeline = result.Legs
		return err
	})
	if err != nil {
		return err
	}
	_, err = d.show(ctx, d.mesh.Caller, outcome{says: "^ok  from the device in ", keep: regexp.MustCompile("^(ok| )")}, call...)
	return err
}
