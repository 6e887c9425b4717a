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

// Events returns the events of one kind so far, oldest first.
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

	binary, dir, name, periodMS string
}

// StartPosixDevice runs the POSIX port as a factory-new device whose temperature log grows every periodMS milliseconds.
func StartPosixDevice(ctx context.Context, binary, dir, name, periodMS string) (*PosixDevice, error) {
	setup, err := capability.NewSetupCode(rand.Reader)
	if err != nil {
		return nil, err
	}
	d := &PosixDevice{Setup: setup, binary: binary, dir: dir, name: name, periodMS: periodMS}
	return d, d.start(ctx, "127.0.0.1:0")
}

// Restart runs a device that was stopped again, on its state and at its address: as after a power cut.
func (d *PosixDevice) Restart(ctx context.Context) error {
	return d.start(ctx, strings.TrimPrefix(d.Link, "udp:"))
}

func (d *PosixDevice) start(ctx context.Context, listen string) error {
	var err error
	d.Process, err = Start(d.dir, d.name, nil, d.binary, "--listen", listen, "--state", filepath.Join(d.dir, d.name+".state"), "--setup", d.Setup.Text(), "--period-ms", d.periodMS, "--print-ready")
	if err != nil {
		return err
	}
	m, err := d.Wait(ctx, 0, `ready udp ([0-9.]+:[0-9]+)`)
	if err != nil {
		return errors.Join(err, d.Kill())
	}
	d.Link = "udp:" + m[1]
	return nil
}
