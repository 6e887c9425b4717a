package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

// stepLimit bounds each step of the demo.
const stepLimit = 60 * time.Second

// demo is one performance: the parts that run, and what was seen. The test asserts the facts.
type demo struct {
	out  *printer
	root string
	dir  string
	bin  harness.Binaries

	mesh  *harness.Mesh
	chip  *harness.Chip
	wire  *harness.Wire
	posix *harness.PosixDevice
	facts facts
}

// facts is what the demo saw, each with its own eyes: the device's side from the chip, the callers' from their nodes.
type facts struct {
	EdgeReach     string // how others reach the edge node
	CallerReach   string // how the caller reaches the edge node
	Services      map[string]string
	ResolvedFrom  map[string]string
	NetworkOff    string // how the network was off
	TokenPrefix   string
	Inspection    string
	Readings      []api.Entry // of the chip's temperature log, read by the caller
	ReadBy        string
	Valve         api.CallResult
	Widened       api.CallResult
	Expired       api.CallResult
	Altered       api.CallResult // what the caller was told of the altered request
	Flipped       []byte         // what the chip answered to the altered request, a CoAP message
	Moves         []int          // where the valve went after an altered, a genuine and a repeated request
	Replayed      []byte         // what the chip answered to the repeated request
	CloudEntries  int
	CloudOutputs  int
	KeptAfterKill int // entries that stood before the kill and still stand
	NewAfterKill  int
	Gap           bool
	ChipLines     int
	Timeline      []api.Leg
	Took          time.Duration
}

func newDemo(out *printer, root, dir string) *demo {
	return &demo{out: out, root: root, dir: dir, bin: harness.Built(root), facts: facts{Services: map[string]string{}, ResolvedFrom: map[string]string{}}}
}

// play runs every step in order and stops at the first that fails.
func (d *demo) play(ctx context.Context) error {
	began := time.Now()
	steps := []func(context.Context) error{
		d.startMesh, d.startDevices, d.claim, d.resolve, d.narrowOffline, d.use,
		d.attack, d.flow, d.kill, d.showTimeline,
	}
	for _, step := range steps {
		limited, cancel := context.WithTimeout(ctx, stepLimit)
		err := step(limited)
		cancel()
		if err != nil {
			return err
		}
	}
	d.facts.Took = time.Since(began)
	d.out.text("")
	d.out.text("Done in %.0f s. To paste, while the mesh is up (make demo KEEP=1):", d.facts.Took.Seconds())
	for _, args := range [][]string{{"service", "show", "greenhouse"}, {"call", "greenhouse/valve", "15", "--cap", "greenhouse/anna", "--trace"}, {"log", "tail", "greenhouse/temperature", "--cap", "greenhouse/anna"}} {
		d.out.text("    %s", strings.Join(d.mesh.Caller.Command(args...), " "))
	}
	return nil
}

// close ends everything that was started, the newest first.
func (d *demo) close() error {
	var errs []error
	if d.mesh != nil {
		errs = append(errs, d.mesh.Close())
	}
	if d.wire != nil {
		errs = append(errs, d.wire.Close())
	}
	if d.posix != nil {
		errs = append(errs, d.posix.Stop())
	}
	if d.chip != nil {
		errs = append(errs, d.chip.Stop())
	}
	return errors.Join(errs...)
}

// show runs a command on a node's home as a person would and prints both. Its exit code must be want.
func (d *demo) show(ctx context.Context, n *harness.Node, want int, args ...string) (harness.Result, error) {
	d.out.command(n.Name, "edgeistry "+strings.Join(args, " "))
	mark := d.chipMark()
	r := n.CLI(ctx, args...)
	d.out.output(r.Stdout)
	d.out.output(r.Stderr)
	d.showChip(mark)
	if r.Code != want {
		return r, fmt.Errorf("%s: exit code %d, want %d\n%s%s\nthe end of the log of node %s:\n%s", r.Line(), r.Code, want, r.Stdout, r.Stderr, n.Name, n.Process().Tail())
	}
	return r, nil
}

// call calls the chip's valve function, as JSON for the facts, and prints the answer and what the chip did.
func (d *demo) call(ctx context.Context, want int, args ...string) (api.CallResult, error) {
	d.out.command("caller", "edgeistry "+strings.Join(args, " "))
	mark := d.chipMark()
	r := d.mesh.Caller.CLI(ctx, append(args, "--json")...)
	result, err := decodeCall(r)
	if err != nil {
		return result, err
	}
	d.out.text("       %s  (%.0f ms)", result.Message, float64(result.TotalUS)/1000)
	if result.OK() { // the chip answers before it turns the valve
		if _, err := d.chip.Wait(ctx, mark, `valve \[`); err != nil {
			return result, err
		}
	}
	d.showChip(mark)
	if r.Code != want {
		return result, fmt.Errorf("%s: exit code %d, want %d: %s", r.Line(), r.Code, want, result.Message)
	}
	return result, nil
}

func (d *demo) chipMark() int {
	if d.chip == nil {
		return 0
	}
	return d.chip.Mark()
}

// showChip prints what the chip's simulator said since mark about requests and the valve.
func (d *demo) showChip(mark int) {
	if d.chip == nil {
		return
	}
	lines := d.chip.Since(mark, `HMACs|valve \[`)
	d.facts.ChipLines += len(lines)
	d.out.chip(lines)
}

func (d *demo) module() string {
	return filepath.Join(d.root, "function", "testdata", "smooth.wasm")
}
