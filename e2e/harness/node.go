package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// startLimit bounds how long a node may take from exec to ready.
const startLimit = 60 * time.Second

// Node is a node of the mesh: a home, and while it runs a process.
type Node struct {
	Name string
	Home string
	Seed string // a multiaddr with peer ID by which others can dial it; empty for a node without a listener

	binary string
	logs   string
	proc   *Process
}

// NewNode makes a home with `edgeistry init`. extra are more arguments of init.
func NewNode(ctx context.Context, binary, dir, name string, extra ...string) (*Node, error) {
	n := &Node{Name: name, Home: filepath.Join(dir, name), binary: binary, logs: dir}
	args := append([]string{"init", "--api", "127.0.0.1:0", "--coap", "127.0.0.1:0", "--mdns=false"}, extra...)
	if r := n.CLI(ctx, args...); r.Err() != nil {
		return nil, r.Err()
	}
	return n, nil
}

// meshLimit bounds how long Start waits for a node that is ready to join its mesh.
const meshLimit = 20 * time.Second

// Start runs the node, waits until it says that it is ready, and then until it has joined its mesh, as far as there is one
// within meshLimit. It returns the time from exec to ready.
func (n *Node) Start(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	began := time.Now()
	p, err := Start(n.logs, n.Name, nil, n.binary, "--home", n.Home, "run")
	if err != nil {
		return 0, err
	}
	n.proc = p
	if _, err := p.Wait(ctx, 0, `^ready\b`); err != nil {
		return 0, errors.Join(err, p.Kill())
	}
	took := time.Since(began)
	// A node whose seeds are down is ready all the same.
	n.CLI(ctx, "wait", "--mesh", "--timeout", meshLimit.String())
	return took, nil
}

// Process is the running process, nil before Start.
func (n *Node) Process() *Process { return n.proc }

// Stop ends the node's process, if it runs.
func (n *Node) Stop() error {
	if n.proc == nil {
		return nil
	}
	return n.proc.Stop()
}

// Command is the command line of the node's home, as a person would paste it.
func (n *Node) Command(args ...string) []string {
	return append([]string{n.binary, "--home", n.Home}, args...)
}

// CLI runs the edgeistry command on this home and gives what it printed.
func (n *Node) CLI(ctx context.Context, args ...string) Result {
	return Exec(ctx, n.Command(args...)...)
}

// JSON runs the command with --json and decodes what it printed into v. A command that fails is an error.
func (n *Node) JSON(ctx context.Context, v any, args ...string) error {
	r := n.CLI(ctx, append(args, "--json")...)
	if err := r.Err(); err != nil {
		return n.explain(err)
	}
	if err := json.Unmarshal(r.Stdout, v); err != nil {
		return fmt.Errorf("%s printed what is not the JSON expected: %w\n%s", r.Line(), err, r.Stdout)
	}
	return nil
}

// Give carries a capability of n's keychain to another node, as text, by hand: no network is needed between them. It gives the text.
func (n *Node) Give(ctx context.Context, to *Node, name string) (token string, err error) {
	r := n.CLI(ctx, "cap", "show", name)
	if err := r.Err(); err != nil {
		return "", err
	}
	token = strings.TrimSpace(string(r.Stdout))
	return token, to.CLI(ctx, "cap", "import", name, token).Err()
}

func (n *Node) explain(err error) error {
	if n.proc == nil {
		return err
	}
	return fmt.Errorf("%w\nthe end of the log of node %s (%s):\n%s", err, n.Name, n.proc.Log, n.proc.Tail())
}

// Result is what a command printed and how it ended.
type Result struct {
	Args           []string
	Stdout, Stderr []byte
	Code           int
	Took           time.Duration
	failed         error
}

// Exec runs a command to its end.
func Exec(ctx context.Context, argv ...string) Result {
	r := Result{Args: argv}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = 5 * time.Second
	cmd.SysProcAttr = childAttr()
	began := time.Now()
	err := cmd.Run()
	r.Took, r.Stdout, r.Stderr, r.Code = time.Since(began), out.Bytes(), errs.Bytes(), cmd.ProcessState.ExitCode()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || ctx.Err() != nil) {
		r.failed = errors.Join(err, ctx.Err())
	}
	return r
}

// Line is the command as typed, with the binary's folder cut off.
func (r Result) Line() string {
	args := append([]string{filepath.Base(r.Args[0])}, r.Args[1:]...)
	return strings.Join(args, " ")
}

// Err is nil if the command ended with exit code 0.
func (r Result) Err() error {
	if r.failed != nil {
		return fmt.Errorf("%s: %w\n%s", r.Line(), r.failed, r.Stderr)
	}
	if r.Code != 0 {
		return fmt.Errorf("%s: exit code %d\n%s%s", r.Line(), r.Code, r.Stdout, r.Stderr)
	}
	return nil
}
