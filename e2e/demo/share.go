package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

// Of what a command prints about a capability, the part that the step is about.
var (
	whatAllows = regexp.MustCompile(`^(frame [2-9]|allows)`) // frame 1 is everything here
	tables     = regexp.MustCompile(`^(FRAME|\d |REQUEST|first|later)`)
)

// share makes the capability for the caller with no network, and carries the text over by hand.
func (d *demo) share(ctx context.Context) error {
	d.out.title("The owner shares, with the network off and in words; whoever gets the text sees what it allows and costs")
	if _, err := d.show(ctx, d.mesh.Edge, outcome{keep: whatAllows}, "cap", "mint", "greenhouse", "--branch", "2", "--save", "greenhouse/site"); err != nil {
		return err
	}
	day := strings.ToLower(time.Now().UTC().AddDate(0, 0, 2).Weekday().String()) // never today, which ends at midnight
	wish := strings.Fields("cap attenuate greenhouse/site read temperature and call valve 0..30 until " + day + " --save greenhouse/anna")
	if err := d.offline(ctx, wish, []string{"cap", "show", "greenhouse/anna"}); err != nil {
		return err
	}
	token, err := d.mesh.Edge.Give(ctx, d.mesh.Caller, "greenhouse/anna")
	if err != nil {
		return err
	}
	d.facts.TokenPrefix = token[:min(6, len(token))]
	r, err := d.show(ctx, d.mesh.Caller, outcome{says: `(?s)ADDED BY.*2 +any holder .*call valve with argument 0\.\.30.*AVR MS`, keep: tables}, "cap", "inspect", "greenhouse/anna")
	d.facts.Inspection = string(r.Stdout)
	return err
}

// offline runs commands on the edge's home in an empty network namespace; where there is none to be had, with the edge node stopped.
func (d *demo) offline(ctx context.Context, narrow, shown []string) error {
	must := []outcome{{keep: whatAllows}, {says: `^ecap1_`}}
	prefix := []string{"unshare", "-rn"}
	if harness.Exec(ctx, append(prefix, "true")...).Err() == nil {
		d.facts.NetworkOff = strings.Join(prefix, " ")
		for i, args := range [][]string{narrow, shown} {
			d.out.command("edge", d.facts.NetworkOff+" edgeistry "+strings.Join(args, " "))
			r := harness.Exec(ctx, append(prefix, d.mesh.Edge.Command(args...)...)...)
			d.out.output(r.Stdout, must[i].keep)
			if err := must[i].check(r); err != nil {
				return err
			}
		}
		return nil
	}
	d.facts.NetworkOff = "the edge node stopped"
	d.out.text("(no network namespaces here: the edge node is stopped instead)")
	if err := d.mesh.Edge.Stop(); err != nil {
		return err
	}
	for i, args := range [][]string{narrow, shown} {
		if _, err := d.show(ctx, d.mesh.Edge, must[i], args...); err != nil {
			return err
		}
	}
	_, err := d.mesh.Edge.Start(ctx)
	return err
}

func (d *demo) use(ctx context.Context) error {
	d.out.title("The caller reads the chip's temperature and turns its valve, from another site, through the relay")
	read := []string{"log", "read", "greenhouse/temperature", "--last", "2", "--cap", "greenhouse/anna"}
	err := harness.Until(ctx, 30*time.Second, func() error { // the chip measures every 2 s
		var r api.ReadResult
		err := d.mesh.Caller.JSON(ctx, &r, read...)
		d.facts.Readings, d.facts.ReadBy = r.Entries, r.By
		if err == nil && len(r.Entries) < 2 {
			err = fmt.Errorf("%d readings, want 2", len(r.Entries))
		}
		return err
	})
	if err != nil {
		return err
	}
	if _, err := d.show(ctx, d.mesh.Caller, outcome{says: "from the device"}, read...); err != nil {
		return err
	}
	if err := d.turn(ctx, 20, "--cap", "greenhouse/anna"); err != nil {
		return err
	}
	return d.refused(ctx, `denied by the device: frame 2 allows argument 0\.\.30, not 90`, 90, "--cap", "greenhouse/anna")
}
