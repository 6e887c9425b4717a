package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
)

const lease = 5 * time.Second

// attack tries what must not work: a widened argument, an expired lease, an altered request, a repeated one. The device refuses each.
func (d *demo) attack(ctx context.Context) error {
	d.out.title("What must not work, and who refuses it: the 8-bit device")
	var err error
	d.out.text("- more than the capability allows")
	if d.facts.Widened, err = d.call(ctx, 4, "call", "greenhouse/valve", "90", "--cap", "greenhouse/anna"); err != nil {
		return err
	}
	if err := d.outliveLease(ctx); err != nil {
		return err
	}

	d.out.text("- one bit altered on the wire (the argument, 20 to 21)")
	before, err := d.moves()
	if err != nil {
		return err
	}
	answer := d.wire.FlipNext()
	if d.facts.Altered, err = d.call(ctx, 4, "call", "greenhouse/valve", "20", "--cap", "greenhouse/anna"); err != nil {
		return err
	}
	select {
	case d.facts.Flipped = <-answer:
	case <-ctx.Done():
		return errors.New("the chip never answered the altered request")
	}
	d.out.text("       the chip answered %s: the tag does not verify; nothing ran", code(d.facts.Flipped))

	d.out.text("- a genuine request, recorded on the wire and sent again")
	if _, err := d.call(ctx, 0, "call", "greenhouse/valve", "25", "--cap", "greenhouse/anna"); err != nil {
		return err
	}
	mark := d.chipMark()
	if d.facts.Replayed, err = d.wire.Inject(ctx, d.wire.LastCall()); err != nil {
		return err
	}
	d.out.text("       the chip answered %s, the stored answer, and ran nothing", code(d.facts.Replayed))
	d.showChip(mark)
	after, err := d.moves()
	if err != nil {
		return err
	}
	d.facts.Moves = after[len(before):]
	d.out.text("       three requests were on the wire, altered, genuine, repeated; the valve moved to %v", d.facts.Moves)
	return nil
}

// outliveLease uses a lease while it lasts and when it is over.
func (d *demo) outliveLease(ctx context.Context) error {
	d.out.text("- a lease of %v, used when it is over", lease)
	if _, err := d.show(ctx, d.mesh.Edge, 0, "cap", "attenuate", "greenhouse/anna", "--lease", lease.String(), "--save", "greenhouse/guest"); err != nil {
		return err
	}
	if _, err := d.mesh.Edge.Give(ctx, d.mesh.Caller, "greenhouse/guest"); err != nil {
		return err
	}
	call := []string{"call", "greenhouse/valve", "10", "--cap", "greenhouse/guest"}
	if _, err := d.call(ctx, 0, call...); err != nil {
		return err
	}
	d.out.text("       %v later:", lease)
	select {
	case <-time.After(lease):
	case <-ctx.Done():
		return ctx.Err()
	}
	err := harness.Until(ctx, 2*lease, func() error { // by the chip's own timer, which a loaded machine slows down
		r := d.mesh.Caller.CLI(ctx, append(call, "--json")...)
		if r.Code == 4 {
			return nil
		}
		return errors.Join(fmt.Errorf("exit code %d, want 4", r.Code), r.Err())
	})
	if err != nil {
		return err
	}
	d.facts.Expired, err = d.call(ctx, 4, call...)
	return err
}

// moves is where the valve went so far.
func (d *demo) moves() ([]int, error) {
	events, err := d.chip.Events("valve")
	moves := make([]int, 0, len(events))
	for _, e := range events {
		moves = append(moves, e.Percent)
	}
	return moves, err
}

// code gives the code of a CoAP message as people write it.
func code(m []byte) string { return fmt.Sprintf("%d.%02d", m[1]>>5, m[1]&31) }
