package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) deviceRemoveCommand() *cobra.Command {
	var yes, keepLog bool
	cmd := &cobra.Command{
		Use:     "rm DEVICE",
		Aliases: []string{"remove"},
		Short:   "Take a device out of this node, with its key and its capabilities",
		Long: `Rm takes out a device that is gone: its link, its local names, its capabilities in the keychain, its key, and the copies of its logs,
which --keep-log leaves on this node's disk. It says what will be lost and asks; a script says --yes.

The device itself is not told. It stays claimed and obeys nobody, until a factory reset (its button) or until the key is restored from
a backup. What others were given for it ends as well only when the device is reset: before, "cap revoke" ends it.`,
		Example:           "  edgeistry device rm greenhouse\n  edgeistry device rm greenhouse --keep-log --yes",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeDevices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd.Context(), "removing "+args[0], func(ctx context.Context, _ *state.State, client *api.Client) error {
				return c.lose(args[0], yes, func(preview bool) (*api.Forgotten, error) {
					return client.RemoveDevice(ctx, api.RemoveDeviceRequest{Device: args[0], KeepLogs: keepLog, Preview: preview})
				})
			})
		},
	}
	cmd.Flags().BoolVar(&keepLog, "keep-log", false, "leave the copies of its logs on disk")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func (c *cli) deviceRenameCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "rename DEVICE NAME",
		Aliases: []string{"mv"},
		Short:   "Give a device another local name",
		Long: `Rename changes the local name of a device, and with it the names of its capabilities in the keychain: greenhose/anna becomes
greenhouse/anna. Nothing changes for the device, for other nodes, or for those who were given capabilities.`,
		Example:           "  edgeistry device rename greenhose greenhouse",
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: c.completeDevices,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd.Context(), "renaming "+args[0], func(ctx context.Context, _ *state.State, client *api.Client) error {
				renamed, err := client.RenameDevice(ctx, api.RenameDeviceRequest{Device: args[0], Name: args[1]})
				if err != nil {
					return err
				}
				return c.show(renamed, func() {
					c.printf("renamed %s to %s\n", nameOr(renamed.Before, renamed.Service), renamed.Name)
					if len(renamed.Capabilities) > 0 {
						c.printf("in the keychain: %s\n", strings.Join(renamed.Capabilities, ", "))
					}
				})
			})
		},
	}
}

func (c *cli) serviceForgetCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget SERVICE",
		Short: "Take a service of others out of the names and the keychain",
		Long: `Forget takes a service out of this home that is not hosted here: given by a local name, that name and the capabilities under it;
given by its ID (k51...), everything that is known of it. A slip in a name goes so, too. It says what will be lost and asks; a script
says --yes. The service itself and what others hold of it are not touched.`,
		Example:           "  edgeistry service forget grenhouse\n  edgeistry service forget k51... --yes",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeServices),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd.Context(), "forgetting "+args[0], func(ctx context.Context, _ *state.State, client *api.Client) error {
				return c.lose(args[0], yes, func(preview bool) (*api.Forgotten, error) {
					return client.ForgetService(ctx, api.ForgetServiceRequest{Service: args[0], Preview: preview})
				})
			})
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// lose shows what will be lost, asks unless yes was given, and does it. What loses nothing is not asked for.
func (c *cli) lose(what string, yes bool, do func(preview bool) (*api.Forgotten, error)) error {
	will, err := do(true)
	if err != nil {
		return err
	}
	loses := will.Key || len(will.Capabilities)+len(will.Logs) > 0
	if loses {
		c.note("%s", strings.Join(losses(will), "\n"))
	}
	if loses && !yes {
		if c.json || !terminal(c.stdin) {
			return usagef("this loses %s; nothing was changed", lossesInShort(will)).Try("the same with --yes")
		}
		if err := c.agree("go on? [y/N] "); err != nil {
			return err
		}
	}
	done, err := do(false)
	if err != nil {
		return err
	}
	return c.show(done, func() {
		c.printf("removed %s\n", what)
		if len(done.Kept) > 0 {
			c.printf("kept on disk: the copies of its logs %s\n", strings.Join(done.Kept, ", "))
		}
	})
}

// losses returns what goes, one line each.
func losses(f *api.Forgotten) []string {
	var lines []string
	if f.Key {
		lines = append(lines,
			"lost: the key of "+f.Service+": nobody can mint, revoke or renew its capabilities any more",
			"      the device stays claimed: it needs a factory reset, or a backup of this key, to be used again")
	}
	if len(f.Capabilities) > 0 {
		lines = append(lines, "lost: from the keychain "+strings.Join(f.Capabilities, ", "))
	}
	if len(f.Logs) > 0 {
		lines = append(lines, "lost: the copies of its logs "+strings.Join(f.Logs, ", "))
	}
	if len(f.Names) > 0 {
		lines = append(lines, "lost: the names "+strings.Join(f.Names, ", "))
	}
	return lines
}

func lossesInShort(f *api.Forgotten) string {
	var parts []string
	if f.Key {
		parts = append(parts, "the service's key")
	}
	if len(f.Capabilities) > 0 {
		parts = append(parts, strings.Join(f.Capabilities, ", ")+" of the keychain")
	}
	if len(f.Logs) > 0 {
		parts = append(parts, "the copies of its logs")
	}
	return strings.Join(parts, " and ")
}

// agree asks on the terminal.
func (c *cli) agree(question string) error {
	fmt.Fprint(c.stderr, question)
	line, err := bufio.NewReader(c.stdin).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	if err != nil || (answer != "y" && answer != "yes") {
		return failedf("nothing was changed")
	}
	return nil
}
