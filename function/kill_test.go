package function

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/logstore"
)

const childEnv = "EDGEISTRY_FUNCTION_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child appends to "in" for ever, with a function that copies to "out". It prints a line for each
// output that it sees on disk.
func child(dir string) error {
	ctx := context.Background()
	ds, _, err := logstore.OpenPebble(dir)
	if err != nil {
		return err
	}
	store, err := logstore.Open(ctx, ds, logstore.Config{})
	if err != nil {
		return err
	}
	r, err := New(ctx, store, Config{})
	if err != nil {
		return err
	}
	if len(r.List()) == 0 {
		module, err := os.ReadFile("testdata/echo.wasm")
		if err != nil {
			return err
		}
		if err := r.Deploy(ctx, Spec{Name: "echo", Module: module, On: logID("in"), To: logID("out"), Timeout: 5 * time.Second}); err != nil {
			return err
		}
	}
	in, err := store.Log(ctx, logID("in"))
	if err != nil {
		return err
	}
	out, err := store.Log(ctx, logID("out"))
	if err != nil {
		return err
	}
	go func() {
		for {
			if _, err := in.Append(ctx, logstore.AppendRequest{Payload: fmt.Append(nil, in.Head().Sequence+1)}); err != nil {
				return
			}
		}
	}()
	for {
		changed := out.Changed()
		if _, err := fmt.Println(out.Head().Sequence); err != nil {
			return err
		}
		<-changed
	}
}

// A process that appends and handles is killed again and again. Each entry has its one output, in
// order.
func TestKilledProcessHandlesEachEntryOnce(t *testing.T) {
	rounds := 6
	if n, err := strconv.Atoi(os.Getenv("EDGEISTRY_TORTURE_ROUNDS")); err == nil {
		rounds = n
	}
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(3, 4))
	seen := uint64(0)
	for range rounds {
		seen = max(seen, killAfter(t, dir, seen, 1+rng.IntN(60)))
	}

	ds, closer, err := logstore.OpenPebble(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	quiet := slog.New(slog.DiscardHandler)
	b := &bench{t: t, ds: ds, cfg: Config{Logger: quiet}}
	b.open()
	defer b.close()
	n := b.log("in").Head().Sequence
	if uint64(n) < seen || seen == 0 {
		t.Fatalf("in has %d entries, but %d outputs were seen", n, seen)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for b.log("out").Head().Sequence < n {
		changed := b.log("out").Changed()
		if b.log("out").Head().Sequence >= n {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%d of %d entries handled: %+v", b.log("out").Head().Sequence, n, b.runtime.List())
		}
	}
	var at edgeistry.Place
	for {
		entries, err := b.log("out").After(t.Context(), at, logstore.MaxReadEntries)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			break
		}
		for _, e := range entries {
			if want := fmt.Sprint(e.Place.Sequence); string(e.Payload) != want || e.ProducerSeq != 1<<32|uint64(e.Place.Sequence) {
				t.Fatalf("output %v = %s from %x, want %s from the entry of its sequence", e.Place, e.Payload, e.ProducerSeq, want)
			}
			at = e.Place
		}
	}
	if at.Sequence != n {
		t.Errorf("%d outputs for %d entries", at.Sequence, n)
	}
	t.Logf("%d rounds, %d entries, each with one output", rounds, n)
}

// killAfter starts the child, waits for some more outputs, kills it, and gives the highest sequence
// it reported.
func killAfter(t *testing.T, dir string, before uint64, outputs int) uint64 {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe) // the context kills with SIGKILL too
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var newest uint64
	lines := bufio.NewReader(pipe)
	for killed := false; ; {
		line, err := lines.ReadString('\n')
		if err == io.EOF {
			break // a line cut short by the kill counts for nothing
		}
		if err != nil {
			t.Fatal(err)
		}
		if newest, err = strconv.ParseUint(strings.TrimSpace(line), 10, 32); err != nil {
			t.Fatal(err)
		}
		if !killed && newest >= before+uint64(outputs) {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if newest < before {
		t.Fatalf("only %d outputs after a restart, %d were seen before: %s", newest, before, stderr.String())
	}
	return newest
}
