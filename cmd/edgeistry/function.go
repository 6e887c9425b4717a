package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/function"
	"github.com/edgeistry/edgeistry/function/wasm"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// maxModule bounds a WebAssembly module, in bytes. The node takes no larger one.
const maxModule = wasm.MaxModule

func (c *cli) fnCommand() *cobra.Command {
	return noun("fn", "Run a WebAssembly function on every append to a log",
		`A function runs on this node for every entry that is appended to a log, in order. What it returns is appended to another log together
with the note that the entry is done, so that its effects happen exactly once, also across crashes.`,
		`  edgeistry fn deploy smooth.wasm --on greenhouse/temperature --to smoothed
  edgeistry fn ls`,
		c.fnDeployCommand(), c.fnListCommand(),
		c.fnChangeCommand("pause", "paused", "Pause a function",
			`Pause stops a function, across restarts of the node too. Entries that are appended meanwhile wait. When it returns, no run is under way.`),
		c.fnChangeCommand("resume", "resumed", "Let a paused or parked function go on",
			`Resume lets a paused function go on with the entries that wait. A parked one tries the entry that it failed on again.`),
		c.fnChangeCommand("skip", "skipped the entry of", "Let a parked function go on after the entry that it failed on",
			`Skip counts the entry that a parked function failed on as handled, without output. "fn ls" names the entry and the error.`),
		c.fnChangeCommand("remove", "removed", "Remove a function",
			`Remove stops a function and forgets it with its position. What it appended stays, and so does the copy of a log of another service that
it ran on; copying ends if no other function runs on that log.`))
}

func (c *cli) fnDeployCommand() *cobra.Command {
	var name, on, to, token string
	var limit time.Duration
	var pages, window int
	var fromStart, evenIfMissing bool
	cmd := &cobra.Command{
		Use:   "deploy FILE.wasm",
		Short: "Deploy a function",
		Long: `Deploy sends a WebAssembly module to this node. Deploying again under the same name replaces it.

--cap lets the node read a log that it is not home to; it must be of the mirror branch ("cap mint --mirror"), because it is the home
node that checks it.`,
		Example: `  edgeistry fn deploy smooth.wasm --on greenhouse/temperature --to smoothed
  edgeistry fn deploy alarm.wasm --on k51.../events --to alarms --cap greenhouse/archive --run-timeout 20ms`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := c.deployment(args[0], name, on, to, limit, pages)
			if err != nil {
				return err
			}
			if window < 0 || window > function.MaxWindow {
				return usagef("--window %d is not within 1..%d", window, function.MaxWindow)
			}
			req.Window, req.FromStart, req.EvenIfMissing = window, fromStart, evenIfMissing
			if req.Capability, err = c.capText(token); err != nil {
				return err
			}
			return c.ask(cmd.Context(), "deploying "+req.Name, func(ctx context.Context, _ *state.State, client *api.Client) error {
				deployed, err := client.Deploy(ctx, req)
				if err != nil {
					return err
				}
				return c.show(deployed, func() {
					c.printf("deployed %s on %s", deployed.Name, deployed.On)
					if deployed.To != "" {
						c.printf(" to %s", deployed.To)
					}
					c.printf("\n")
					if deployed.State == "waiting" {
						c.note("it begins with the entry after the first head that the home of the log names")
					}
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&on, "on", "", "the `LOG` whose entries it runs on: SERVICE/LOG, or LOG of this node")
	flags.StringVar(&to, "to", "", "the `LOG` of this node that its results go to")
	flags.StringVar(&name, "name", "", "`NAME` of the deployment (default: the file's name)")
	registerCap(cmd, &token)
	spanVar(cmd, &limit, "run-timeout", 0, "`TIME` that one run may take (default: the node's)")
	flags.IntVar(&window, "window", 0, "give each run this `NUMBER` of the newest entries (default: the new entry alone)")
	flags.BoolVar(&fromStart, "from-start", false, "begin with what the log holds already (default: with the first entry after the deployment)")
	flags.BoolVar(&evenIfMissing, "even-if-missing", false, "deploy it also if the log does not exist yet")
	flags.IntVar(&pages, "memory-pages", 0, "memory that it may use, in `PAGES` of 64 KiB (default: the node's)")
	return cmd
}

// wasmMagic opens every WebAssembly module (WebAssembly Core Specification 5.5.16).
var wasmMagic = []byte("\x00asm")

// deployment checks what can be checked before the node is asked.
func (c *cli) deployment(file, name, on, to string, limit time.Duration, pages int) (api.DeployRequest, error) {
	req := api.DeployRequest{Name: name, On: on, To: to, TimeoutMS: int(limit.Milliseconds()), MemoryPages: pages}
	if on == "" {
		return req, usagef("--on is missing: which log's entries shall it run on?").Try("--on greenhouse/temperature")
	}
	if _, err := parseTarget(on, false); err != nil {
		return req, usagef("--on %w", err)
	}
	if to != "" {
		if err := edgeistry.CheckName(to); err != nil {
			return req, usagef("--to: %w", err)
		}
	}
	if limit%time.Millisecond != 0 {
		return req, usagef("--run-timeout %s is too fine: it counts in whole milliseconds", limit)
	}
	if pages < 0 || pages > 65536 {
		return req, usagef("--memory-pages %d is not within 1..65536", pages)
	}
	if name == "" {
		req.Name = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	if err := edgeistry.CheckName(req.Name); err != nil {
		return req, usagef("%w", err).Try("--name NAME")
	}
	var err error
	if req.Module, err = readBounded(file, c.stdin, maxModule); err != nil {
		return req, err
	}
	if !bytes.HasPrefix(req.Module, wasmMagic) {
		return req, usagef("%s is not a WebAssembly module", file).Try("compile it for wasm32 first")
	}
	return req, nil
}

func (c *cli) fnListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the functions that run on this node",
		Example: "  edgeistry fn ls\n  edgeistry fn ls --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd.Context(), "asking the node for its functions", func(ctx context.Context, _ *state.State, client *api.Client) error {
				functions, err := client.Functions(ctx)
				if err != nil {
					return err
				}
				return c.show(list(functions), func() { c.functionTable(functions) })
			})
		},
	}
}

// fnChangeCommand is a command that takes the name of a function and asks the node for the action of that name.
func (c *cli) fnChangeCommand(action, done, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     action + " NAME",
		Short:   short,
		Long:    long,
		Example: "  edgeistry fn " + action + " smooth",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: first(c.completeDeployed),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd.Context(), "asking the node to "+action+" "+args[0], func(ctx context.Context, _ *state.State, client *api.Client) error {
				f, err := client.ChangeFunction(ctx, action, args[0])
				if err != nil {
					return err
				}
				return c.show(f, func() {
					c.printf("%s %s", done, f.Name)
					if action != "remove" {
						c.printf(": %s", f.State)
					}
					c.printf(", done up to %s\n", place(f.Cursor.Incarnation, f.Cursor.Sequence))
				})
			})
		},
	}
	if action == "remove" {
		cmd.Use, cmd.Aliases, cmd.Example = "rm NAME", []string{"remove"}, "  edgeistry fn rm smooth"
	}
	return cmd
}

func (c *cli) functionTable(functions []api.Function) {
	if len(functions) == 0 {
		c.note("no functions yet; deploy one with: edgeistry fn deploy FILE.wasm --on SERVICE/LOG --to LOG")
		return
	}
	rows := [][]string{{"NAME", "ON", "TO", "STATE", "RUNS", "RESULTS", "DONE UP TO"}}
	for _, f := range functions {
		state := f.State
		if f.Problem != "" {
			state += " (" + f.Problem + ")"
		}
		if f.PullState != "" {
			state += ", copy " + f.PullState
		}
		if f.PullProblem != "" {
			state += " " + span(c.now().Sub(f.PullFailed)) + " ago: " + f.PullProblem
		}
		rows = append(rows, []string{
			f.Name, f.On, orDash(f.To), state, fmt.Sprint(f.Runs), fmt.Sprint(f.Outputs), place(f.Cursor.Incarnation, f.Cursor.Sequence),
		})
	}
	c.table(rows)
}
