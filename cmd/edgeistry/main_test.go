package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"edgeistry": main})
}

// TestScripts runs the command line as people do: real processes, a home of their own, exit codes.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			for _, v := range os.Environ() {
				if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "EDGEISTRY_") {
					env.Setenv(name, "")
				}
			}
			if err := copyFile("../../function/testdata/smooth.wasm", env.WorkDir+"/smooth.wasm"); err != nil {
				return err
			}
			env.Setenv("EDGEISTRY_HOME", env.WorkDir+"/home")
			env.Setenv("TZ", "Pacific/Chatham") // what is printed is UTC wherever the machine stands
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"setenv-from": setenvFrom,
			"signal":      signalByLock,
			"setenv-json": setenvJSON,
			"flip":        flip,
			"ports-of":    portsOf,
			"unhex":       unhex,
		},
	})
}

// exits CODE PROGRAM ARGS... runs a program and fails unless it exits with that code. Its output is kept for stdout and
// stderr.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		ts.Fatalf("exits: %v", err)
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// setenv-from NAME FILE sets a variable to a file's text without the white space around it.
func setenvFrom(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: setenv-from NAME FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// flip FILE OLD NEW replaces the first OLD in a file: damage with an aim.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: flip FILE OLD NEW")
	}
	path := ts.MkAbs(args[0])
	raw, err := os.ReadFile(path)
	ts.Check(err)
	text := strings.Replace(string(raw), args[1], args[2], 1)
	if text == string(raw) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, []byte(text), 0o600))
}

// unhex FROM TO writes the bytes that a text has in hexadecimal.
func unhex(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unhex FROM TO")
	}
	raw, err := hex.DecodeString(strings.Join(strings.Fields(ts.ReadFile(args[0])), ""))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), raw, 0o600))
}

// signal NAME LOCKFILE sends a signal to the process that runs on a state directory.
func signalByLock(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}
	if neg || len(args) != 2 || signals[args[0]] == 0 {
		ts.Fatalf("usage: signal TERM|HUP|KILL LOCKFILE")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(ts.ReadFile(args[1])))
	ts.Check(err)
	process, err := os.FindProcess(pid)
	ts.Check(err)
	ts.Check(process.Signal(signals[args[0]]))
}

func copyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

// setenv-json NAME FILE KEY sets a variable to a text of a JSON document.
func setenvJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: setenv-json NAME FILE KEY")
	}
	var document map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &document))
	text, ok := document[args[2]].(string)
	if !ok || text == "" {
		ts.Fatalf("%s has no text %q", args[1], args[2])
	}
	ts.Setenv(args[0], text)
}

// ports-of FILE API COAP writes a config.yaml with the ports that a running node says it has.
func portsOf(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: ports-of FILE API COAP")
	}
	text := "mesh: live\nlisten: []\napi_listen: " + strings.TrimPrefix(args[1], "http://") + "\ncoap_listen: " + args[2] + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
