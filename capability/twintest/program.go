// Package twintest starts the C core for tests that give it and the Go code the same bytes and want the same answers.
package twintest

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/internal/repository"
)

// Start builds a program of firmware/test and runs it until the test ends; it must end by itself when its input does.
func Start(t *testing.T, name string) (in io.Writer, out *bufio.Reader) {
	t.Helper()
	program := repository.Path(t, "build", "firmware", name)
	build := exec.Command("make", "-s", "-C", repository.Path(t, "firmware"), filepath.Join("..", "build", "firmware", name))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the C core (this test wants make and a C compiler): %v\n%s", err, out)
	}
	if _, err := os.Stat(program); err != nil { // and so a cached result ends with a new program
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // t.Context() ends before the program may
	cmd := exec.CommandContext(ctx, program)
	cmd.Stderr = os.Stderr
	cmd.WaitDelay = 10 * time.Second
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil && !t.Failed() {
			t.Errorf("the C core: %v", err)
		}
	})
	return stdin, bufio.NewReader(stdout)
}
