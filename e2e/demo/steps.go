package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

const (
	temperature = "temperature"
	lease       = 5 * time.Second
)

func (d *demo) startMesh(ctx context.Context) error {
	d.out.title("Three nodes, three sites: the cloud listens; edge and caller have no address of their own")
	var err error
	if d.mesh, err = harness.StartMesh(ctx, d.bin.Edgeistry, d.dir); err != nil {
		return err
	}
	d.out.text("cloud ready %.0f ms after its start, pid %d; edge pid %d; caller pid %d", float64(d.mesh.StartToReady.Microseconds())/1000, d.mesh.Cloud.Process().PID(), d.mesh.Edge.Process().PID(), d.mesh.Caller.Process().PID())
	err = harness.Until(ctx, 30*time.Second, func() error {
		var status api.Status
		if err := d.mesh.Edge.JSON(ctx, &status, "status"); err != nil {
			return err
		}
		d.facts.EdgeReach = status.Relay.Text
		if status.Relay.State != "relayed" {
			return fmt.Errorf("the edge node is %q, want relayed", status.Relay.State)
		}
		return nil
	})
	d.out.text("edge: %s", d.facts.EdgeReach)
	return err
}

func (d *demo) startDevices(ctx context.Context) error {
	d.out.title("Two devices, factory new: an ATmega328P (8 bit, 2 KiB RAM) on a serial line, and one on UDP")
	var err error
	if d.chip, err = harness.StartChip(ctx, d.bin.Sim, d.bin.Firmware, d.dir); err != nil {
		return err
	}
	if d.wire, err = harness.Tap(d.chip.Pty, filepath.Join(d.dir, "wire.tty")); err != nil {
		return err
	}
	if d.posix, err = harness.StartPosixDevice(ctx, d.bin.Posix, d.dir, "device", "1000"); err != nil {
		return err
	}
	d.out.text("An attacker sits on the serial wire: it sees, records, alters and repeats what it likes.")
	return nil
}

func (d *demo) claim(ctx context.Context) error {
	d.out.title("The edge claims both from their setup codes, over the local link")
	for _, dev := range []struct{ name, code, link string }{
		{"greenhouse", d.chip.Setup.Text(), "serial:" + d.wire.Path},
		{"shed", d.posix.Setup.Text(), d.posix.Link},
	} {
		if _, err := d.show(ctx, d.mesh.Edge, 0, "device", "claim", dev.code, "--link", dev.link, "--name", dev.name); err != nil {
			return err
		}
		var r api.Resolution
		if err := d.mesh.Edge.JSON(ctx, &r, "service", "resolve", dev.name); err != nil {
			return err
		}
		d.facts.Services[dev.name] = r.Service
	}
	return nil
}

func (d *demo) resolve(ctx context.Context) error {
	d.out.title("The caller resolves both by ID, through the DHT")
	for _, name := range []string{"greenhouse", "shed"} {
		id := d.facts.Services[name]
		var r api.Resolution
		if err := harness.Until(ctx, 20*time.Second, func() error { return d.mesh.Caller.JSON(ctx, &r, "service", "resolve", id) }); err != nil {
			return err
		}
		d.facts.ResolvedFrom[name] = r.From
		if _, err := d.show(ctx, d.mesh.Caller, 0, "service", "resolve", id); err != nil {
			return err
		}
	}
	r, err := d.show(ctx, d.mesh.Caller, 0, "ping", d.facts.Services["greenhouse"])
	d.facts.CallerReach = string(r.Stdout)
	return err
}

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

// flow lets the log run to the cloud, where a function handles each entry.
func (d *demo) flow(ctx context.Context) error {
	d.out.title("The chip's log flows to the cloud, where a WebAssembly function runs on each entry")
	if _, err := d.show(ctx, d.mesh.Edge, 0, "cap", "mint", "greenhouse", "--mirror", "--read", temperature, "--save", "greenhouse/archive"); err != nil {
		return err
	}
	if _, err := d.mesh.Edge.Give(ctx, d.mesh.Cloud, "greenhouse/archive"); err != nil {
		return err
	}
	if _, err := d.show(ctx, d.mesh.Cloud, 0, "fn", "deploy", d.module(), "--on", "greenhouse/temperature", "--to", "smoothed", "--window", "4", "--cap", "greenhouse/archive"); err != nil {
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
	if _, err := d.show(ctx, d.mesh.Cloud, 0, "fn", "ls"); err != nil {
		return err
	}
	_, err = d.show(ctx, d.mesh.Cloud, 0, "log", "read", "smoothed", "--last", "3")
	return err
}

// kill ends the edge node as a power cut would, while logs grow, and looks for what is missing afterwards.
func (d *demo) kill(ctx context.Context) error {
	d.out.title("The edge node is killed with -9, and comes back")
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
	return nil
}

func same(a, b api.Entry) bool {
	return a.Incarnation == b.Incarnation && a.Sequence == b.Sequence && a.Hash == b.Hash && bytes.Equal(a.Payload, b.Payload)
}

func (d *demo) showTimeline(ctx context.Context) error {
	d.out.title("One request, leg by leg (the relay's circuit is new after the kill, so the first call may open it)")
	call := []string{"call", "greenhouse/valve", "5", "--cap", "greenhouse/anna"}
	err := harness.Until(ctx, 30*time.Second, func() error { return d.mesh.Caller.CLI(ctx, call...).Err() })
	if err != nil {
		return err
	}
	if _, err := d.show(ctx, d.mesh.Caller, 0, append(call, "--trace")...); err != nil {
		return err
	}
	var result api.CallResult
	if err := d.mesh.Caller.JSON(ctx, &result, append(call, "--trace")...); err != nil {
		return err
	}
	d.facts.Timeline = result.Legs
	return nil
}

func decodeCall(r harness.Result) (api.CallResult, error) {
	var result api.CallResult
	if err := json.Unmarshal(r.Stdout, &result); err != nil || result.Code == "" {
		return result, fmt.Errorf("%s: no answer from the service (exit code %d)\n%s%s", r.Line(), r.Code, r.Stdout, r.Stderr)
	}
	return result, nil
}
