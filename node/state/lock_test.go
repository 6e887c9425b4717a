package state

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// TestMain lets the test binary be the other process of TestLockOtherProcess.
func TestMain(m *testing.M) {
	if dir := os.Getenv("EDGEISTRY_TEST_HOLD"); dir != "" {
		os.Exit(hold(dir))
	}
	os.Exit(m.Run())
}

func hold(dir string) int {
	h, err := Open(dir)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if _, err := h.Lock(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until killed, or the test closes the pipe
	return 0
}

func TestLock(t *testing.T) {
	h := newState(t)
	l, err := h.Lock()
	if err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if _, err := h.Lock(); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("second Lock = %v, want LockedError with process %d", err, os.Getpid())
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	l, err = h.Lock()
	if err != nil {
		t.Fatalf("Lock after Close: %v", err)
	}
	_ = l.Close()
}

// TestLockOtherProcess kills the holder with SIGKILL: the lock is free at once, with the stale process ID in the file.
func TestLockOtherProcess(t *testing.T) {
	h := newState(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "EDGEISTRY_TEST_HOLD="+h.Dir())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "held\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	var locked *LockedError
	if _, err := h.Lock(); !errors.As(err, &locked) || locked.PID != cmd.Process.Pid {
		t.Errorf("Lock = %v, want LockedError with process %d", err, cmd.Process.Pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	l, err := h.Lock()
	if err != nil {
		t.Fatalf("Lock after the holder was killed: %v", err)
	}
	_ = l.Close()
}
