package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
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

	mesh      *harness.Mesh
	chip      *harness.Chip
	wire      *harness.Wire
	posix     *harness.PosixDevice
	wordUntil time.Time // when the doorman's word is over, by this machine's clock
	facts     facts
}

// facts is what the demo saw beyond what commands printed, which each step checks itself.
type facts struct {
	EdgeReach     string // how others reach the edge node
	Services      map[string]string
	ResolvedFrom  map[string]string
	NetworkOff    string // how the network was off
	TokenPrefix   string
	Inspection    string
	Readings      []api.Entry // of the chip's temperature log, read by the caller
	ReadBy        string
	Allowed       []int  // where the valve was let go, in order
	Moves         []int  // where the valve went, as the chip tells
	Refused       int    // calls that were refused, with exit code 4 and the words that the step wants
	Flipped       []byte // what the chip answered to the altered request, a CoAP message
	Replayed      []byte // what the chip answered to the repeated request
	CloudEntries  int
	CloudOutputs  int
	KeptAfterKill int // entries that stood before the kill and still stand
	NewAfterKill  int
	Gap           bool
	Timeline      []api.Leg
	Waited        api.Revocation // what was revoked while the chip was away
	Confirmed     api.Revocation // the same when it was back
	Took          time.Duration
}

func newDemo(out *printer, root, dir string) *demo {
	return &demo{out: out, root: root, dir: dir, bin: harness.Built(root), facts: facts{Services: map[string]string{}, ResolvedFrom: map[string]string{}}}
}

// play runs every step in order and stops at the first that fails.
func (d *demo) play(ctx context.Context) error {
	began := time.Now()
	d.out.text("Long IDs and texts are cut, and of long answers only what the step is about is shown.")
	for _, step := range []func(context.Context) error{
		d.startMesh, d.claim, d.resolve, d.share, d.use, d.guard, d.attack, d.flow, d.kill, d.revoke,
	} {
		limited, cancel := context.WithTimeout(ctx, stepLimit)
		err := step(limited)
		cancel()
		if err != nil {
			return err
		}
	}
	d.facts.Took = time.Since(began)
	d.out.text("")
	d.out.text("Done in %.0f s.", d.facts.Took.Seconds())
	return nil
}

// goOn reports how to go on by hand while the mesh is up.
func (d *demo) goOn() {
	d.out.text("The mesh stays up until Ctrl-C. To paste:")
	for _, args := range [][]string{
		{"service", "show", "greenhouse"}, {"call", "greenhouse/valve", "15", "--trace"}, {"cap", "attenuate", "greenhouse/owner", "read", temperature, "for", "2h", "--qr"},
	} {
		d.out.paste("    " + strings.Join(d.mesh.Edge.Command(args...), " "))
	}
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

// outcome is how a command must end, and what is shown of it. The zero value: well, and all of it.
type outcome struct {
	code int
	says string         // a regular expression for what it prints
	keep *regexp.Regexp // the lines to show
	into string         // the file that standard output goes to
}

func denied(says string) outcome { return outcome{code: 4, says: says} }

func (o outcome) check(r harness.Result) error {
	if r.Code == o.code && regexp.MustCompile(o.says).Match(slices.Concat(r.Stdout, r.Stderr)) {
		return nil
	}
	return fmt.Errorf("%s: exit code %d, want %d and %q\n%s%s", r.Line(), r.Code, o.code, o.says, r.Stdout, r.Stderr)
}

// show runs a command on a node's home as a person would and prints both. It must end as it is to.
func (d *demo) show(ctx context.Context, n *harness.Node, must outcome, args ...string) (harness.Result, error) {
	line := "edgeistry " + strings.Join(args, " ")
	if must.into != "" {
		line += " > " + filepath.Base(must.into)
	}
	d.out.command(n.Name, line)
	r := n.CLI(ctx, args...)
	if must.into == "" {
		d.out.output(r.Stdout, must.keep)
	}
	d.out.output(r.Stderr, must.keep)
	if err := must.check(r); err != nil {
		return r, fmt.Errorf("%w\nthe end of the log of node %s:\n%s", err, n.Name, n.Process().Tail())
	}
	return r, nil
}

// turn has the caller turn the chip's valve, which must work, and shows what the chip did.
func (d *demo) turn(ctx context.Context, percent int, proof ...string) error {
	mark := d.chip.Mark()
	args := append([]string{"call", "greenhouse/valve", fmt.Sprint(percent)}, proof...)
	if _, err := d.show(ctx, d.mesh.Caller, outcome{says: "^ok  from the device in ", keep: regexp.MustCompile("^ok")}, args...); err != nil {
		return err
	}
	line, err := d.moved(ctx, mark, percent)
	d.out.chip(line)
	return err
}

// moved waits until the chip, which answers first, has turned the valve, and gives what its simulator says of that.
func (d *demo) moved(ctx context.Context, mark, percent int) (line string, err error) {
	d.facts.Allowed = append(d.facts.Allowed, percent)
	if _, err := d.chip.Wait(ctx, mark, fmt.Sprintf(`valve \[.* %d %%`, percent)); err != nil {
		return "", err
	}
	err = harness.Until(ctx, 10*time.Second, func() error {
		lines := d.chip.Since(mark, `valve \[|HMACs`)
		for i, text := range lines {
			if strings.HasPrefix(text, "valve") && i+1 < len(lines) { // it turns within the request that the next line is about
				line = text + "  " + strings.TrimPrefix(lines[i+1], "ATmega328P:")
				return nil
			}
		}
		return errors.New("the chip does not say what the request cost")
	})
	return line, err
}

// refused has the caller try to turn the chip's valve, which must be refused in these words.
func (d *demo) refused(ctx context.Context, says string, percent int, proof ...string) error {
	args := append([]string{"call", "greenhouse/valve", fmt.Sprint(percent)}, proof...)
	_, err := d.show(ctx, d.mesh.Caller, denied(says), args...)
	if err == nil {
		d.facts.Refused++
	}
	return err
}

func (d *demo) module() string {
	return filepath.Join(d.root, "function", "testdata", "smooth.wasm")
}

func oneLine(text []byte) string { return strings.TrimSpace(string(text)) }
