package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

// shared is a site whose datagrams to the device can be looked at.
type shared struct {
	*testing.T
	ctx    context.Context
	dir    string
	node   *harness.Node
	device *harness.PosixDevice
	tap    *harness.Datagrams
}

func startShared(t *testing.T, ctx context.Context) *shared {
	t.Helper()
	bin := harness.Built(root)
	s := &shared{T: t, ctx: ctx, dir: t.TempDir()}
	s.node = startNode(t, ctx, s.dir, "edge", onLoopback...)
	var err error
	if s.device, err = harness.StartPosixDevice(ctx, bin.Posix, s.dir, "device", "1000"); err != nil {
		t.Fatal(err)
	}
	s.closes("the device", func() error { return s.device.Stop() })
	if s.tap, err = harness.TapUDP(strings.TrimPrefix(s.device.Link, "udp:")); err != nil {
		t.Fatal(err)
	}
	s.closes("the tap", s.tap.Close)
	s.ok("device", "claim", s.device.Setup.Text(), "--link", s.tap.Link, "--name", "shed")
	return s
}

func (s *shared) closes(what string, end func() error) {
	s.Cleanup(func() {
		if err := end(); err != nil {
			s.Errorf("%s: %v", what, err)
		}
	})
}

// ok runs a command that must succeed, and gives what it printed.
func (s *shared) ok(args ...string) string {
	s.Helper()
	r := s.node.CLI(s.ctx, args...)
	if err := r.Err(); err != nil {
		s.Fatal(err)
	}
	return string(r.Stdout) + string(r.Stderr)
}

// denied runs a command that the device must deny with these words.
func (s *shared) denied(words string, args ...string) {
	s.Helper()
	r := s.node.CLI(s.ctx, args...)
	if want := "denied by the device: " + words; r.Code != 4 || !strings.Contains(string(r.Stderr), want) {
		s.Fatalf("%s: exit code %d\n%s%s\nwant 4 and %q", r.Line(), r.Code, r.Stdout, r.Stderr, want)
	}
}

// until repeats a command until it ends with a code, within 20 s.
func (s *shared) until(code int, args ...string) {
	s.Helper()
	err := harness.Until(s.ctx, 20*time.Second, func() error {
		r := s.node.CLI(s.ctx, args...)
		if r.Code != code {
			return fmt.Errorf("%s: exit code %d, want %d\n%s%s", r.Line(), r.Code, code, r.Stdout, r.Stderr)
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// TestSharing uses every kind of capability with real firmware: what the command line makes offline, the device holds.
func TestSharing(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	s := startShared(t, ctx)
	s.guarded()
	s.together()
	s.private()
	s.program()
	s.counted()
	s.rated()
	s.copied()
	s.followed()
}

// guarded needs the word of a guard, which ends by the device's own timer.
func (s *shared) guarded() {
	s.Helper()
	s.ok("cap", "mint", "node", "--no-mirror", "--save", "node/doorman")
	s.ok("cap", "attenuate", "shed/owner", "call", "valve", "--guard", "node/doorman", "--save", "shed/visitor")
	s.denied("frame 3 allows only: with the word of the guard", "call", "shed/valve", "10", "--cap", "shed/visitor")
	var shown struct {
		Timer struct{ Boot, Tick int } `json:"timer"`
	}
	if err := s.node.JSON(s.ctx, &shown, "service", "show", "shed"); err != nil {
		s.Fatal(err)
	}
	word := filepath.Join(s.dir, "word.txt")
	r := s.node.CLI(s.ctx, "cap", "discharge", "node/doorman", "shed/visitor", "--lease", "8s", "--boot", fmt.Sprint(shown.Timer.Boot), "--tick", fmt.Sprint(shown.Timer.Tick))
	if err := r.Err(); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(word, r.Stdout, 0o600); err != nil {
		s.Fatal(err)
	}
	use := []string{"call", "shed/valve", "10", "--cap", "shed/visitor", "--discharge", "@" + word}
	s.ok(use...)
	s.until(4, use...)
	s.denied("the discharge of frame 3 allows only: until", use...)
}

// together needs two capabilities; each alone is not enough, or not wide enough.
func (s *shared) together() {
	s.Helper()
	s.ok("cap", "mint", "shed", "call", "valve", "--branch", "3", "--save", "shed/key")
	s.ok("cap", "mint", "shed", "call", "valve", "0..9", "--branch", "4", "--also", "3", "--save", "shed/badge")
	s.denied("frame 1 allows only: together with a capability of branch 3", "call", "shed/valve", "5", "--cap", "shed/badge")
	s.ok("call", "shed/valve", "5", "--cap", "shed/key", "--cap", "shed/badge")
	s.denied("frame 1 of capability 2 allows argument 0..9, not 50", "call", "shed/valve", "50", "--cap", "shed/key", "--cap", "shed/badge")
}

// private hides the function's name and its argument from who looks at the line.
func (s *shared) private() {
	s.Helper()
	s.tap.Traffic()
	s.ok("call", "shed/valve", "66", "--private")
	shows := func() bool {
		found := false
		for _, m := range s.tap.Traffic() {
			found = found || bytes.Contains(m, []byte("valve")) || bytes.HasSuffix(m, []byte{0xff, 66})
		}
		return found
	}
	if shows() {
		s.Error("a private call shows the function's name or its argument on the line")
	}
	// The frames are not hidden, so these may not name the function.
	s.denied("frame 2 allows only: read temperature", "call", "shed/valve", "66", "--private", "--cap", s.token("shed/owner", "read", "temperature"))
	if shows() {
		s.Error("a private call that is denied shows the function's name or its argument on the line")
	}
	s.ok("call", "shed/valve", "66")
	if !shows() {
		s.Error("a call that is not private does not show: the test looks at the wrong line")
	}
}

// token narrows a capability and gives the text.
func (s *shared) token(name string, wish ...string) string {
	s.Helper()
	return strings.TrimSpace(s.ok(append([]string{"cap", "attenuate", name}, wish...)...))
}

// program asks a function of WebAssembly on the device: the argument must be even.
func (s *shared) program() {
	s.Helper()
	even := s.token("shed/owner", "--program", "00 20 01 41 02 70 45 0b")
	s.ok("call", "shed/valve", "8", "--cap", even)
	s.denied("frame 2 allows only: if the program (8 bytes) says so (it says no)", "call", "shed/valve", "9", "--cap", even)
}

// counted lets exactly two calls through, also where the power fails in between.
func (s *shared) counted() {
	s.Helper()
	s.ok("cap", "attenuate", "shed/owner", "call", "valve", "2", "times", "--cell", "1", "--save", "shed/twice")
	s.denied("frame 2 says", "call", "shed/valve", "1", "--cap", "shed/twice")
	if out := s.ok("cap", "reserve", "shed/twice"); out != "reserved cell 1 for frame 2: 2 requests\n" {
		s.Errorf("cap reserve printed %q", out)
	}
	s.ok("call", "shed/valve", "1", "--cap", "shed/twice")
	if err := errors.Join(s.device.Kill(), s.device.Restart(s.ctx)); err != nil {
		s.Fatal(err)
	}
	s.until(0, "call", "shed/valve", "2", "--cap", "shed/twice") // a session that the device has lost is told apart from one that it refuses
	s.denied("frame 2 allows only: at most 2 times: call valve (they are used up)", "call", "shed/valve", "3", "--cap", "shed/twice")

	other := s.token("shed/owner", "call", "valve", "1", "times", "--cell", "1")
	r := s.node.CLI(s.ctx, "cap", "reserve", other)
	if r.Code != 4 || !strings.Contains(string(r.Stderr), "cell 1 of shed counts for another capability") || !strings.Contains(string(r.Stderr), "--force") {
		s.Errorf("reserving another's cell: exit code %d\n%s", r.Code, r.Stderr)
	}
}

// rated lets one call through every 3 s, and none at once.
func (s *shared) rated() {
	s.Helper()
	s.ok("cap", "attenuate", "shed/owner", "call", "valve", "--rate", "1/3s", "--save", "shed/slowly")
	use := []string{"call", "shed/valve", "4", "--cap", "shed/slowly"}
	s.denied("frame 2 allows only: at most one every 3s: call valve (none is left", use...)
	s.until(0, use...)
	s.denied("frame 2 allows only: at most one every 3s", use...)
}

// copied reads with a pair: from the device, from the copy with the device's proof, and from the copy while the device is away.
func (s *shared) copied() {
	s.Helper()
	s.ok("cap", "mint", "shed", "read", "temperature", "--branch", "5", "--save", "shed/reader")
	read := []string{"log", "read", "shed/temperature", "--last", "3", "--cap", "shed/reader"}
	if out := s.ok(read...); !strings.Contains(out, ", from the device") {
		s.Errorf("with the device there:\n%s", out)
	}
	s.until(0, append(read, "--mirror")...)
	if out := s.ok(append(read, "--check")...); !strings.Contains(out, "; the device has proved it") {
		s.Errorf("checked:\n%s", out)
	}
	if err := s.device.Kill(); err != nil {
		s.Fatal(err)
	}
	want := regexp.MustCompile(`(?m)^head \d+\.\d+, from the copy at 12D3KooW\w+, \d+ (s|min) old; the device is away \(.*\)$`)
	if out := s.ok(append(read, "--timeout", "30s")...); !want.MatchString(out) {
		s.Errorf("with the device away:\n%s\nwant %v", out, want)
	}
	if r := s.node.CLI(s.ctx, append(read, "--direct", "--timeout", "5s")...); r.Code == 0 {
		s.Errorf("--direct read without the device:\n%s", r.Stdout)
	}
}

// followed begins to follow while the device is away (copied left it so): what the copy has, said to be that, then the device itself.
func (s *shared) followed() {
	s.Helper()
	var last api.ReadResult
	if err := s.node.JSON(s.ctx, &last, "log", "read", "shed/temperature", "--last", "1", "--mirror", "--cap", "shed/reader"); err != nil {
		s.Fatal(err)
	}
	tail, err := harness.Start(s.dir, "tail", nil, s.node.Command("log", "tail", "shed/temperature", "--last", "2", "--cap", "shed/reader")...)
	if err != nil {
		s.Fatal(err)
	}
	s.closes("log tail", tail.Stop)
	place := func(sequence uint32) string { return fmt.Sprintf(`^%d\.%d `, last.Head.Incarnation, sequence) }
	expect := func(patterns ...string) {
		s.Helper()
		for _, pattern := range patterns {
			ctx, cancel := context.WithTimeout(s.ctx, 30*time.Second)
			_, err := tail.Wait(ctx, 0, pattern)
			cancel()
			if err != nil {
				s.Fatal(err)
			}
		}
	}
	expect(fmt.Sprintf(`^head %d\.%d, from the copy at 12D3KooW\w+, \d+ s old; the device is away \(.+\)$`, last.Head.Incarnation, last.Head.Sequence),
		place(last.Head.Sequence-1), place(last.Head.Sequence))
	if err := s.device.Restart(s.ctx); err != nil {
		s.Fatal(err)
	}
	expect(fmt.Sprintf(`^ +-- the device started again: incarnation %d --$`, last.Head.Incarnation+1), fmt.Sprintf(`^%d\.1 `, last.Head.Incarnation+1), `^head .*, from the device again$`)
	mark := tail.Mark()
	if _, err := tail.Wait(s.ctx, mark, fmt.Sprintf(`^%d\.\d+ `, last.Head.Incarnation+1)); err != nil {
		s.Fatal(err)
	}
	seen := map[string]bool{}
	for _, line := range tail.Since(0, `^\d+\.\d+ `) {
		at := strings.Fields(line)[0]
		if seen[at] {
			s.Errorf("entry %s was given twice:\n%s", at, tail.Tail())
		}
		seen[at] = true
	}
}
