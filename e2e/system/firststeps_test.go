package system

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
)

const firstSteps = root + "/docs/guide/first-steps.md"

// step is a command of the page and what the page shows that it prints.
type step struct {
	words []string
	shown string
}

// TestFirstSteps types the commands of docs/guide/first-steps.md against a node and a POSIX device, and compares what they
// print with what the page shows, IDs and numbers apart. The harness types the first three: it starts the device and the node.
func TestFirstSteps(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	raw, err := os.ReadFile(firstSteps)
	if err != nil {
		t.Fatal(err)
	}
	steps := stepsOf(string(raw))
	if len(steps) != 10 {
		t.Fatalf("%d commands on the page, want ten", len(steps))
	}
	for i, want := range []string{"greenhouse-posix --state", "edgeistry init --mesh farm", "edgeistry run"} {
		if line := strings.Join(steps[i].words, " "); !strings.Contains(line, want) {
			t.Errorf("command %d is %q, want %q: the harness types it", i+1, line, want)
		}
	}
	dir := t.TempDir()
	node := startNode(t, ctx, dir, "edge", onLoopback...)
	device, err := harness.StartPosixDevice(ctx, harness.Built(root).Posix, dir, "device", "1000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := device.Stop(); err != nil {
			t.Error(err)
		}
	})
	fill := strings.NewReplacer(`"$CODE"`, device.Setup.Text(), "udp:127.0.0.1:5690", device.Link)
	for _, s := range steps[3:] {
		args := s.words[1:]
		for i := range args {
			args[i] = fill.Replace(args[i])
		}
		typed := func() error { return s.compare(node.CLI(ctx, args...)) }
		if args[0] == "log" { // its first entry comes a moment after the claim
			err = harness.Until(ctx, 20*time.Second, typed)
		} else {
			err = typed()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// stepsOf finds the commands of a page: indented lines that start with a dollar sign.
func stepsOf(page string) []step {
	var steps []step
	for line := range strings.Lines(page) {
		if command, ok := strings.CutPrefix(line, "    $ "); ok {
			steps = append(steps, step{words: strings.Fields(command)})
		} else if strings.HasPrefix(line, "    ") && len(steps) > 0 {
			steps[len(steps)-1].shown += line
		}
	}
	return steps
}

// compare returns an error if a command ended or printed otherwise than the page shows.
func (s step) compare(r harness.Result) error {
	want := 0
	if strings.Contains(s.shown, "denied") {
		want = 4
	}
	printed := withoutFigures(string(r.Stdout) + "\n" + string(r.Stderr))
	if r.Code != want {
		return fmt.Errorf("%s: exit code %d, want %d\n%s", r.Line(), r.Code, want, printed)
	}
	for line := range strings.Lines(s.shown) {
		if !strings.Contains(printed, withoutFigures(line)) {
			return fmt.Errorf("%s: the page shows\n%s\nand the command printed\n%s", r.Line(), line, printed)
		}
	}
	return nil
}

var figures = regexp.MustCompile(`k51\S+|12D3Koo\S+|<?\b[0-9a-f]*[0-9][0-9a-f]*(\.[0-9]+)?\b`)

// withoutFigures returns a text without IDs, numbers and the width of its columns.
func withoutFigures(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(figures.ReplaceAllString(line, "#")), " "))
	}
	return strings.Join(lines, "\n")
}
