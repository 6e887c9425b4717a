package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

const temperature = "temperature"

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

// claim starts the devices, factory new, and takes them.
func (d *demo) claim(ctx context.Context) error {
	d.out.title("The edge claims two devices: an ATmega328P (8 bit, 2 KiB RAM) on a serial line, and one on UDP")
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
	for _, dev := range []struct{ name, code, link string }{
		{"greenhouse", d.chip.Setup.Text(), "serial:" + d.wire.Path},
		{"shed", d.posix.Setup.Text(), d.posix.Link},
	} {
		brief := outcome{says: `5/5\] record published`, keep: regexp.MustCompile(`^claimed|1/5`)}
		if _, err := d.show(ctx, d.mesh.Edge, brief, "device", "claim", dev.code, "--link", dev.link, "--name", dev.name); err != nil {
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
	d.out.title("The caller resolves them by ID, through the DHT")
	for _, name := range []string{"shed", "greenhouse"} {
		id := d.facts.Services[name]
		var r api.Resolution
		if err := harness.Until(ctx, 20*time.Second, func() error { return d.mesh.Caller.JSON(ctx, &r, "service", "resolve", id) }); err != nil {
			return err
		}
		d.facts.ResolvedFrom[name] = r.From
	}
	_, err := d.show(ctx, d.mesh.Caller, outcome{says: `relayed through 12D3.*\n.*from the mesh`, keep: regexp.MustCompile(`^(home|record)`)}, "service", "resolve", d.facts.Services["greenhouse"])
	return err
}
