package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) deviceCommand() *cobra.Command {
	return noun("device", "Claim devices, list, rename and remove those of this node",
		"A device is a microcontroller that runs Edgeistry firmware, on a serial line or on UDP. Claiming it makes you its owner and this node its home.",
		`  edgeistry device claim EDGDEV1-4F2K-... --link serial:/dev/ttyUSB0 --name greenhouse
  edgeistry device ls`,
		c.deviceClaimCommand(), c.deviceListCommand(), c.deviceClockCommand(), c.deviceRenameCommand(), c.deviceRemoveCommand())
}

func (c *cli) deviceClaimCommand() *cobra.Command {
	var link, name string
	cmd := &cobra.Command{
		Use:   "claim SETUP-CODE",
		Short: "Take ownership of a factory-new device",
		Long: `Claim agrees on a fresh key with a device, over the wire that it is attached to, and publishes its record. The setup code
stands on the device (text or QR code). It is a secret: - reads it from standard input, which keeps it out of the process list and
the shell's history.

A claim that stopped half way is taken up by the same command.`,
		Example: `  edgeistry device claim EDGDEV1-4F2K-... --link serial:/dev/ttyUSB0 --name greenhouse
  edgeistry device claim - --link udp:192.168.1.40:5683 --name pump < setup-code.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			code := args[0]
			if code == "-" {
				raw, err := readBounded("-", c.stdin, 256)
				if err != nil {
					return err
				}
				code = strings.TrimSpace(string(raw))
			}
			setup, err := capability.ParseSetupCode(code)
			if err != nil {
				return usagef("%w", err).Try("copy the whole text, from EDGDEV1- to its end")
			}
			if link == "" {
				return usagef("--link is missing: where is the device attached?").
					Try("--link serial:/dev/ttyUSB0, or --link udp:ADDRESS:PORT")
			}
			at, err := fromHere(link)
			if err != nil {
				return err
			}
			if name != "" {
				if err := edgeistry.CheckName(name); err != nil {
					return usagef("--name: %w", err)
				}
			}
			return c.claim(cmd.Context(), api.ClaimRequest{SetupCode: setup.Text(), Link: at, Name: name})
		},
	}
	cmd.Flags().StringVar(&link, "link", "", "`LINK` that the device is attached to: serial:/dev/ttyUSB0 or udp:ADDRESS:PORT")
	cmd.Flags().StringVar(&name, "name", "", "local `NAME` for the device's service")
	return cmd
}

// fromHere makes the path of a serial line good for the node, which keeps it and may run, or start again, in another
// directory. A link that cannot be one is wrong usage.
func fromHere(text string) (string, error) {
	address, err := link.Parse(text)
	if err != nil {
		return "", usagef("--link: %w", err)
	}
	if _, err := os.Stat(address.Serial); address.Serial == "" || err != nil || filepath.IsAbs(address.Serial) {
		return text, nil
	}
	absolute, err := filepath.Abs(address.Serial)
	if err != nil {
		return text, nil
	}
	return "serial:" + absolute + strings.TrimPrefix(text, "serial:"+address.Serial), nil
}

// claim shows the steps on one line as they are done, then what came out.
func (c *cli) claim(ctx context.Context, req api.ClaimRequest) error {
	return c.ask(ctx, "claiming the device at "+req.Link, func(ctx context.Context, _ *state.State, client *api.Client) error {
		steps := 0
		result, err := client.Claim(ctx, req, func(step api.ClaimStep) {
			if c.json {
				return
			}
			if steps > 0 {
				fmt.Fprint(c.stderr, "   ")
			}
			fmt.Fprintf(c.stderr, "[%d/%d] %s", step.Step, step.Of, clean(step.Text))
			steps++
		})
		if steps > 0 {
			fmt.Fprintln(c.stderr)
		}
		if err != nil {
			return err
		}
		return c.show(result, func() {
			if result.Name == "" {
				c.printf("claimed %s\n", result.Service)
			} else {
				c.printf("claimed %s = %s\n", result.Name, result.Service)
			}
			c.printf("owner capability kept in the keychain as %s\n", result.Capability)
		})
	})
}

func (c *cli) deviceListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the devices that this node is home to",
		Example: "  edgeistry device ls\n  edgeistry device ls --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd.Context(), "asking the node for its devices", func(ctx context.Context, _ *state.State, client *api.Client) error {
				devices, err := client.Devices(ctx)
				if err != nil {
					return err
				}
				return c.show(list(devices), func() { c.deviceTable(devices) })
			})
		},
	}
}

func (c *cli) deviceTable(devices []api.Device) {
	if len(devices) == 0 {
		c.note("no devices yet; claim one with: edgeistry device claim SETUP-CODE --link serial:/dev/ttyUSB0 --name NAME")
		return
	}
	rows := [][]string{{"NAME", "BOARD", "LINK", "STATE", "LOGS", "SERVICE"}}
	for _, d := range devices {
		state := "reachable"
		if !d.Reachable {
			state = "not reachable"
			if !d.Seen.IsZero() {
				state += ", seen " + span(c.now().Sub(d.Seen)) + " ago"
			}
			if d.Problem != "" {
				state += " (" + d.Problem + ")"
			}
		} else if !d.ClockSet {
			state += ", clock not set"
		}
		var logs []string
		for _, l := range d.Logs {
			logs = append(logs, fmt.Sprintf("%s %d", l.Name, l.Sequence))
		}
		rows = append(rows, []string{orDash(d.Name), orDash(d.Board), d.Link, state, orDash(strings.Join(logs, ", ")), d.Service})
	}
	c.table(rows)
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
