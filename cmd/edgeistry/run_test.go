package main

import (
	"context"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// TestSystemdIsToldWhenTheNodeIsReady runs the daemon with a notification socket of our own.
func TestSystemdIsToldWhenTheNodeIsReady(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // there is no systemd
	}
	// A socket's path is short: t.TempDir may be too long for it.
	dir, err := os.MkdirTemp("", "edg")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	config := config.Default()
	config.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	config.APIListen, config.CoAPListen, config.EnableMDNS = "127.0.0.1:0", "", false
	if _, err := state.Init(filepath.Join(dir, "home"), config); err != nil {
		t.Fatal(err)
	}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	deadline := time.Now().Add(30 * time.Second)
	if err := socket.SetReadDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	var out, errs strings.Builder
	cmd := exec.CommandContext(ctx, "edgeistry", "run", "--home", filepath.Join(dir, "home"), "--json")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(dir, "n"))
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	heard := func() string {
		b := make([]byte, 1024)
		n, err := socket.Read(b)
		if err != nil {
			t.Errorf("read the notification: %v", err)
		}
		return string(b[:n])
	}
	if got := heard(); got != "READY=1" {
		t.Errorf("first told %q, want READY=1", got)
	}
	if got := heard(); got != "STATUS=serves its site; mesh edgeistry: alone, no seed is configured" {
		t.Errorf("then told %q, want the standing in the mesh", got)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	got := heard()
	for strings.HasPrefix(got, "STATUS=") { // its standing changes while it stops
		got = heard()
	}
	if got != "STOPPING=1" {
		t.Errorf("then told %q, want STOPPING=1", got)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the daemon ended with %v\n%s", err, &errs)
	}
	if !strings.Contains(out.String(), `"ready":true`) || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("the ready line is %q", out.String())
	}
}

// TestLibrariesPrintNoRawLines checks that a line of the standard logger, which the mDNS library prints at every start, goes
// to the node's log at debug and nowhere else.
func TestLibrariesPrintNoRawLines(t *testing.T) {
	out, flags := log.Writer(), log.Flags()
	defer func() { log.SetOutput(out); log.SetFlags(flags) }()
	for level, want := range map[string]string{
		"info":  "",
		"debug": `level=DEBUG msg="[zeroconf] no suitable IPv6 interface" from=library` + "\n",
	} {
		c, _, errs := testCLI(nil)
		logger, err := c.logger(level)
		if err != nil {
			t.Fatal(err)
		}
		tameLibraries(logger)
		log.Printf("[zeroconf] no suitable IPv6 interface")
		if _, got, _ := strings.Cut(errs.String(), " "); got != want {
			t.Errorf("at %s: %q, want %q", level, got, want)
		}
	}
}
