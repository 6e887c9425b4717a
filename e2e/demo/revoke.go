package main

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

var (
	ended       = regexp.MustCompile(`^(revoked|branch|also)`)
	generations = regexp.MustCompile(`^(SERVICE|.* generation )`)
)

// revoke ends what was shared while the chip cannot be reached: at the home at once, at the chip when it is back.
func (d *demo) revoke(ctx context.Context) error {
	d.out.title("Anna's capability is revoked while the chip is away: over at once at its home, and at the chip as soon as it is back")
	d.wire.Cut()
	d.out.text("(the serial line is pulled)")
	if _, err := d.show(ctx, d.mesh.Edge, outcome{says: "waiting for the device", keep: ended}, "cap", "revoke", "greenhouse/anna"); err != nil {
		return err
	}
	if err := d.refused(ctx, "on the deny list", 10, "--cap", "greenhouse/anna"); err != nil {
		return err
	}
	var err error
	if d.facts.Waited, err = d.generation(ctx); err != nil {
		return err
	}
	list := []string{"cap", "revocations", "greenhouse"}
	if _, err := d.show(ctx, d.mesh.Edge, outcome{says: "generation 0 +.* waiting for the device"}, list...); err != nil {
		return err
	}
	d.wire.Mend()
	d.out.text("(the serial line is plugged in again)")
	err = harness.Until(ctx, 30*time.Second, func() error {
		if d.facts.Confirmed, err = d.generation(ctx); err == nil && d.facts.Confirmed.State != api.RevokedDone {
			err = fmt.Errorf("the chip has not confirmed the revocation: %+v", d.facts.Confirmed)
		}
		return err
	})
	if err != nil {
		return err
	}
	if _, err := d.show(ctx, d.mesh.Edge, outcome{says: "generation 0 +.* done ", keep: generations}, list...); err != nil {
		return err
	}
	d.out.text("The visitor's is of the same branch and on no deny list: now the chip itself refuses it.")
	return d.refused(ctx, "other generation: revoked", 10, "--cap", "greenhouse/visitor")
}

// generation is the branch's new generation, which the chip has to be told.
func (d *demo) generation(ctx context.Context) (api.Revocation, error) {
	var all []api.Revocation
	if err := d.mesh.Edge.JSON(ctx, &all, "cap", "revocations", "greenhouse"); err != nil {
		return api.Revocation{}, err
	}
	for _, r := range all {
		if r.Kind == "generation" {
			return r, nil
		}
	}
	return api.Revocation{}, fmt.Errorf("%+v: no generation has ended", all)
}
