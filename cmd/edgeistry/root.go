package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// defaultTimeout bounds every command that is not a stream or the daemon itself.
const defaultTimeout = 30 * time.Second

// cli is one invocation: its streams, its clock, its environment and the flags that every command has.
type cli struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
	now            func() time.Time

	columns int // of the terminal that standard output is; 0: it is none, lines may be of any length

	home    string
	json    bool
	timeout time.Duration

	timeoutSet bool  // --timeout was given, so it bounds streams too
	misused    error // help was asked for a command that does not exist
}

func newCLI() *cli {
	return &cli{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		lookupEnv: os.LookupEnv, now: time.Now,
		columns: terminalWidth(os.Stdout),
	}
}

// run executes one command line and gives the process's exit code.
func (c *cli) run(ctx context.Context, args []string) int {
	root := c.newRoot()
	root.SetArgs(numbersAreArguments(root, args))
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = c.misused
	}
	if err == nil {
		return exitDone
	}
	// Flags are parsed late or not at all when a command line is wrong; whoever asked for JSON gets JSON all the same.
	if !c.json {
		c.json = wantsJSON(args)
	}
	if ctx.Err() != nil && !errors.Is(err, errTimedOut) {
		c.report(failedf("interrupted"))
		return exitInterrupted
	}
	var f *failure
	if !errors.As(err, &f) && strings.HasPrefix(err.Error(), "unknown command") {
		err = usagef("%s", firstLine(err.Error())).Try("edgeistry --help")
	}
	if errors.As(err, &f) && f.code == exitUsage && f.try == "" {
		f.Try("%s --help", cmd.CommandPath())
	}
	c.report(err)
	return exitCode(err)
}

func wantsJSON(args []string) bool {
	for _, a := range args {
		switch a {
		case "--":
			return false
		case "--json", "--json=true":
			return true
		}
	}
	return false
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// The groups of the root help, in the order people meet them.
const (
	groupNode    = "node"
	groupService = "service"
	groupShare   = "share"
	groupData    = "data"
	groupUpkeep  = "upkeep"
)

func (c *cli) newRoot() *cobra.Command {
	cobra.EnableCommandSorting = false // help lists commands in the order people need them
	var showVersion bool
	root := &cobra.Command{
		Use:   "edgeistry",
		Short: "Nanoservices on every tier, from an 8-bit microcontroller to the cloud, in one mesh with no centre",
		Long: `Edgeistry makes every device a nanoservice and every site a node of one mesh with no central server.

Run nodes across sites, resolve a nanoservice by its ID, and share narrowed permissions with no network at all.

Start:   edgeistry init --mesh farm,  then  edgeistry run`,
		Example: `  edgeistry init --mesh farm
  edgeistry run
  edgeistry call greenhouse/valve 20
  edgeistry cap inspect ecap1_AQ...`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			if showVersion {
				return c.showVersion()
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if err := c.fromEnvironment(cmd); err != nil {
				return err
			}
			return refuseEmpty(cmd, args)
		},
	}
	root.Flags().BoolVar(&showVersion, versionFlag, false, "print the version of this binary")
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVar(&c.home, "home", "", "`DIRECTORY` of the node (default: ~/.edgeistry)")
	flags.BoolVar(&c.json, "json", false, "print JSON: one document, or one line per item for streams")
	flags.Var(newSpan(&c.timeout, defaultTimeout), "timeout", "give up after this `TIME` (streams: no limit unless given)")

	root.AddGroup(
		&cobra.Group{ID: groupNode, Title: "The node:"},
		&cobra.Group{ID: groupService, Title: "Devices and services:"},
		&cobra.Group{ID: groupShare, Title: "Capabilities (no network needed):"},
		&cobra.Group{ID: groupData, Title: "Calls, logs, functions:"},
		&cobra.Group{ID: groupUpkeep, Title: "Upkeep:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, cmd := range commands {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add(groupNode, c.initCommand(), c.runCommand(), c.idCommand(), c.statusCommand(), c.waitCommand(), c.pingCommand())
	add(groupService, c.deviceCommand(), c.serviceCommand())
	add(groupShare, c.capCommand())
	add(groupData, c.callCommand(), c.logCommand(), c.fnCommand())
	add(groupUpkeep, c.doctorCommand(), c.configCommand(), c.versionCommand())
	c.dress(root)
	return root
}

// dress gives the whole tree what every command has: help with examples and environment variables, and usage errors
// that exit with 2.
func (c *cli) dress(root *cobra.Command) {
	root.SetHelpCommand(c.helpCommand())
	root.SetHelpCommandGroupID(groupUpkeep)
	root.SetCompletionCommandGroupID(groupUpkeep)
	showHelp := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
			c.misused = unknownCommand(cmd, words[0])
			return
		}
		showHelp(cmd, args)
	})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s: %w", cmd.CommandPath(), err).Try("%s --help", cmd.CommandPath())
	})
	walk(root, func(cmd *cobra.Command) {
		cmd.InitDefaultHelpFlag()
		cmd.Flags().SortFlags = false
		cmd.DisableFlagsInUseLine = false
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		if cmd.Example == "" {
			cmd.Example = borrowedExamples[cmd.CommandPath()]
		}
		showEnvironment(cmd)
		c.completeFlags(cmd)
		if check := cmd.Args; check != nil && cmd != root {
			cmd.Args = func(cmd *cobra.Command, args []string) error {
				if check(cmd, args) == nil {
					return nil
				}
				given := one(len(args), "argument", "arguments")
				if len(args) == 0 {
					given = "no argument"
				}
				return usagef("%s got %s; it is used like this: %s", cmd.CommandPath(), given, cmd.UseLine())
			}
		}
	})
}

// helpCommand is the library's help, but that a command which does not exist is wrong usage.
func (c *cli) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND ...]",
		Short: "Help about any command",
		Long:  "Help prints what a command does, its flags and examples: the same as COMMAND --help.",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			switch {
			case err != nil:
				return unknownCommand(cmd.Root(), args[0])
			case len(rest) > 0 && found.HasSubCommands():
				return unknownCommand(found, rest[0])
			case len(rest) > 0:
				return usagef("%s has no command %.40q", found.CommandPath(), rest[0]).Try("%s --help", found.CommandPath())
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// borrowedExamples are for the commands that the library brings.
var borrowedExamples = map[string]string{
	"edgeistry help":                  "  edgeistry help cap attenuate",
	"edgeistry completion":            "  edgeistry completion bash > /etc/bash_completion.d/edgeistry",
	"edgeistry completion bash":       "  source <(edgeistry completion bash)",
	"edgeistry completion zsh":        "  edgeistry completion zsh > \"${fpath[1]}/_edgeistry\"",
	"edgeistry completion fish":       "  edgeistry completion fish > ~/.config/fish/completions/edgeistry.fish",
	"edgeistry completion powershell": "  edgeistry completion powershell | Out-String | Invoke-Expression",
}

const usageTemplate = `Usage:{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{else}}
  {{.UseLine}}{{end}}{{if .HasExample}}

Examples:
{{.Example}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{if eq (len .Groups) 0}}

Commands:{{range $cmds}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{else}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) (or .IsAvailableCommand (eq .Name "help")))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableSubCommands}}

"{{.CommandPath}} COMMAND --help" says more about a command.{{end}}
`

// noun makes a command that only holds others. Called alone or with a word it does not know, it is wrong usage.
func noun(name, short, long, example string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Example: example,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			var names []string
			for _, verb := range cmd.Commands() {
				if verb.IsAvailableCommand() {
					names = append(names, verb.Name())
				}
			}
			return usagef("%s needs a command: %s", cmd.CommandPath(), strings.Join(names, ", "))
		},
	}
	cmd.AddCommand(verbs...)
	return cmd
}

func unknownCommand(parent *cobra.Command, word string) error {
	f := usagef("unknown command %.40q for %s", word, parent.CommandPath())
	parent.SuggestionsMinimumDistance = 2
	if near := parent.SuggestionsFor(word); len(near) > 0 {
		return f.Try("%s %s", parent.CommandPath(), near[0])
	}
	return f.Try("%s --help", parent.CommandPath())
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		walk(child, visit)
	}
}

// bounded returns a context that ends after --timeout, with a cause that says where the time went.
func (c *cli) bounded(ctx context.Context, doing string) (context.Context, context.CancelFunc) {
	if c.timeout <= 0 {
		return context.WithCancel(ctx)
	}
	cause := &failure{
		code: exitTimeout,
		err:  fmt.Errorf("%w after %s: %s", errTimedOut, c.timeout, doing),
		try:  "a longer --timeout, or: edgeistry doctor",
	}
	return context.WithTimeoutCause(ctx, c.timeout, cause)
}

// stream is bounded only if --timeout was given.
func (c *cli) stream(ctx context.Context, doing string) (context.Context, context.CancelFunc) {
	if !c.timeoutSet {
		return context.WithCancel(ctx)
	}
	return c.bounded(ctx, doing)
}
