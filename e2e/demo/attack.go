package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// attack tries what must not work: a request altered on the wire, one repeated, and a guard's word that is over. The device refuses each.
func (d *demo) attack(ctx context.Context) error {
	d.out.title("What must not work, and who refuses it: the 8-bit device")
	var err error
	d.out.text("- an attacker on the serial wire alters one bit of a request (the argument, 20 to 21)")
	answer := d.wire.FlipNext()
	if err := d.refused(ctx, `refused on the way \(unverified, via 12D3.*: tag does not verify`, 20, "--cap", "greenhouse/anna"); err != nil {
		return err
	}
	select {
	case d.facts.Flipped = <-answer:
	case <-ctx.Done():
		return errors.New("the chip never answered the altered request")
	}
	d.out.text("       the chip answered %s: the tag does not verify; nothing ran", code(d.facts.Flipped))

	d.out.text("- the attacker records a genuine request and sends it again")
	if err := d.turn(ctx, 25, "--cap", "greenhouse/anna"); err != nil {
		return err
	}
	if d.facts.Replayed, err = d.wire.Inject(ctx, d.wire.LastCall()); err != nil {
		return err
	}
	d.out.text("       the chip answered %s, the stored answer, and ran nothing", code(d.facts.Replayed))

	d.out.text("- the doorman's word is used when it is over")
	if err := d.outliveWord(ctx); err != nil {
		return err
	}
	if d.facts.Moves, err = d.moves(); err != nil {
		return err
	}
	d.out.text("  The valve has moved to %v so far: what was allowed, once each, and nothing else.", d.facts.Moves)
	if !slices.Equal(d.facts.Moves, d.facts.Allowed) {
		return fmt.Errorf("the valve moved to %v, want %v, which was allowed", d.facts.Moves, d.facts.Allowed)
	}
	return nil
}

// outliveWord waits until the doorman's word is over, by the chip's own timer, which a loaded machine slows down.
func (d *demo) outliveWord(ctx context.Context) error {
	for {
		select {
		case <-time.After(time.Until(d.wordUntil)):
		case <-ctx.Done():
			return ctx.Err()
		}
		mark := d.chip.Mark()
		r := d.mesh.Caller.CLI(ctx, append([]string{"call", "greenhouse/valve", "40"}, d.withWord()...)...)
		switch r.Code {
		case 4:
			return d.refused(ctx, "denied by the device: the discharge of frame 3 allows only: until .* after boot", 40, d.withWord()...)
		case 0: // the chip is behind
			if _, err := d.moved(ctx, mark, 40); err != nil {
				return err
			}
			d.wordUntil = time.Now().Add(time.Second)
		default:
			return r.Err()
		}
	}
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

// code returns the code of a CoAP message as people write it.
func code(m []byte) string { return fmt.Sprintf("%d.%02d", m[1]>>5, m[1]&31) }
