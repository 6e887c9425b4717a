package harness

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeistry/edgeistry/capability"
)

// Chip is an ATmega328P in its simulator: a program that lives apart from every node, with its EEPROM in a file.
type Chip struct {
	*Process
	Setup  capability.SetupCode
	Pty    string // the serial line
	events string
}

// StartChip runs the firmware image elf in the simulator sim, as a factory-new device.
func StartChip(ctx context.Context, sim, elf, dir string) (*Chip, error) {
	setup, err := capability.NewSetupCode(rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &Chip{Setup: setup, Pty: filepath.Join(dir, "chip.tty"), events: filepath.Join(dir, "chip.ndjson")}
	c.Process, err = Start(dir, "chip", nil, sim, "--pty", c.Pty, "--eeprom", filepath.Join(dir, "chip.eeprom"), "--setup", setup.Text(), "--events", c.events, elf)
	if err != nil {
		return nil, err
	}
	if _, err := c.Wait(ctx, 0, `link enabled`); err != nil {
		return nil, errors.Join(err, c.Kill())
	}
	return c, nil
}

// Event is a line of the simulator's event file; which fields count depends on Event.
type Event struct {
	Event   string `json:"event"`
	Cycle   uint64 `json:"cycle"`
	Percent int    `json:"percent"` // valve
	Count   int    `json:"count"`   // valve: executions since boot
	// request
	Cycles       uint64 `json:"cycles"`
	HMACs        int    `json:"hmacs"`
	Compressions int    `json:"compressions"`
	Stack        int    `json:"stack_used"`
	Static       int    `json:"static_bytes"`
	InBytes      int    `json:"in_bytes"`
	OutBytes     int    `json:"out_bytes"`
}

// Events gives the events of one kind so far, oldest first.
func (c *Chip) Events(kind string) ([]Event, error) {
	data, err := os.ReadFile(c.events)
	if err != nil {
		return nil, err
	}
	var found []Event
	s := bufio.NewScanner(bytes.NewReader(data))
	for s.Scan() {
		var e Event
		if json.Unmarshal(s.Bytes(), &e) == nil && e.Event == kind {
			found = append(found, e)
		}
	}
	return found, s.Err()
}

// PosixDevice is the same firmware as a process on UDP.
type PosixDevice struct {
	*Process
	Setup capability.SetupCode
	Link  string // udp:127.0.0.1:PORT

	binary, dir, state, period string
}

// Restart cuts the device's power and switches it on again at the same address.
func (d *PosixDevice) Restart(ctx context.Context) error {
	if err := d.Kill(); err != nil {
		return err
	}
	p, err := Start(d.dir, d.Name, nil, d.binary, "--listen", strings.TrimPrefix(d.Link, "udp:"), "--state", d.state, "--period-ms", d.period, "--print-ready")
	if err != nil {
		return err
	}
	d.Process = p
	if _, err := p.Wait(ctx, 0, `ready udp`); err != nil {
		return errors.Join(err, p.Kill())
	}
	return nil
}

// StartPosixDevice runs the POSIX port as a factory-new device whose temperature log grows every periodMS milliseconds.
func StartPosixDevice(ctx context.Context, binary, dir, name, periodMS string) (*PosixDevice, error) {
	setup, err := capability.NewSetupCode(rand.Reader)
	if err != nil {
		return nil, err
	}
	d := &PosixDevice{Setup: setup, binary: binary, dir: dir, state: filepath.Join(dir, name+".state"), period: periodMS}
	d.Process, err = Start(dir, name, nil, binary, "--listen", "127.0.0.1:0", "--state", d.state, "--setup", setup.Text(), "--period-ms", periodMS, "--print-ready")
	if err != nil {
		return nil, err
	}
	m, err := d.Wait(ctx, 0, `ready udp ([0-9.]+:[0-9]+)`)
	if err != nil {
		return nil, errors.Join(err, d.Kill())
	}
	d.Link = "udp:" + m[1]
	return d, nil
}
