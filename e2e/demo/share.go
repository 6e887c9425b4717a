package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

// narrowOffline makes the capability for the caller with no network, and carries the text over by hand.
func (d *demo) narrowOffline(ctx context.Context) error {
	d.out.title("The owner mints, and narrows with the network off: read the temperature, open the valve up to 30 %%")
	if _, err := d.show(ctx, d.mesh.Edge, 0, "cap", "mint", "greenhouse", "--branch", "2", "--save", "greenhouse/site"); err != nil {
		return err
	}
	narrow := []string{"cap", "attenuate", "greenhouse/site", "--call", "valve", "--arg", "0..30", "--read", temperature, "--save", "greenhouse/anna"}
	shown := []string{"cap", "show", "greenhouse/anna", "--qr"}
	if harness.Exec(ctx, "unshare", "-rn", "true").Err() == nil {
		d.facts.NetworkOff = "unshare -rn"
		for _, args := range [][]string{narrow, shown} {
			d.out.command("edge", "unshare -rn edgeistry "+strings.Join(args, " "))
			r := harness.Exec(ctx, append([]string{"unshare", "-rn"}, d.mesh.Edge.Command(args...)...)...)
			d.out.output(r.Stdout)
			if err := r.Err(); err != nil {
				return err
			}
		}
	} else {
		d.facts.NetworkOff = "every node stopped"
		d.out.text("(no network namespaces here: every node is stopped instead)")
		if err := d.mesh.Close(); err != nil {
			return err
		}
		for _, args := range [][]string{narrow, shown} {
			if _, err := d.show(ctx, d.mesh.Edge, 0, args...); err != nil {
				return err
			}
		}
		for _, n := range []*harness.Node{d.mesh.Cloud, d.mesh.Edge, d.mesh.Caller} {
			if _, err := n.Start(ctx); err != nil {
				return err
			}
		}
	}
	token, err := d.mesh.Edge.Give(ctx, d.mesh.Caller, "greenhouse/anna")
	if err != nil {
		return err
	}
	d.facts.TokenPrefix = token[:min(6, len(token))]
	r, err := d.show(ctx, d.mesh.Caller, 0, "cap", "inspect", "greenhouse/anna")
	d.facts.Inspection = string(r.Stdout)
	return err
}

func (d *demo) use(ctx context.Context) error {
	d.out.title("The caller reads the chip's temperature and turns its valve, from another site, through the relay")
	read := []string{"log", "read", "greenhouse/temperature", "--last", "3", "--cap", "greenhouse/anna"}
	err := harness.Until(ctx, 30*time.Second, func() error { // the chip measures every 2 s
		var r api.ReadResult
		err := d.mesh.Caller.JSON(ctx, &r, read...)
		d.facts.Readings, d.facts.ReadBy = r.Entries, r.By
		if err == nil && len(r.Entries) < 3 {
			err = fmt.Errorf("%d readings, want 3", len(r.Entries))
		}
		return err
	})
	if err != nil {
		return err
	}
	if _, err := d.show(ctx, d.mesh.Caller, 0, read...); err != nil {
		return err
	}
	if d.facts.Valve, err = d.call(ctx, 0, "call", "greenhouse/valve", "20", "--cap", "greenhouse/anna"); err != nil {
		return err
	}
	mark := d.chipMark()
	if _, err := d.show(ctx, d.mesh.Caller, 0, "call", "greenhouse/valve", "30", "--cap", "greenhouse/anna"); err != nil {
		return err
	}
	_, err = d.chip.Wait(ctx, mark, `valve \[`)
	return err
}
