package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFromHere(t *testing.T) {
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("chip.tty", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, want := range map[string]string{
		"serial:chip.tty":           "serial:" + filepath.Join(dir, "chip.tty"),
		"serial:./chip.tty":         "serial:" + filepath.Join(dir, "chip.tty"),
		"serial:" + dir:             "serial:" + dir,
		"serial:no-such-line":       "serial:no-such-line",
		"udp:192.168.1.40:5683":     "udp:192.168.1.40:5683",
		"serial:chip.tty?baud=9600": "serial:" + filepath.Join(dir, "chip.tty") + "?baud=9600",
		"serial:/dev/no-such-thing": "serial:/dev/no-such-thing",
	} {
		if got, err := fromHere(link); err != nil || got != want {
			t.Errorf("fromHere(%q) = %q, %v, want %q", link, got, err, want)
		}
	}
	for _, link := range []string{"chip.tty", "udp:192.168.1.40:70000", "serial:chip.tty?baud=fast", "serial:chip.tty?speed=9600"} {
		if got, err := fromHere(link); exitCode(err) != exitUsage {
			t.Errorf("fromHere(%q) = %q, %v, want wrong usage", link, got, err)
		}
	}
}
