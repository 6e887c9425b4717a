package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) capReserveCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "reserve CAP",
		Short: "Give the counts of a capability their cells on the device",
		Long: `Reserve asks the device, as its owner, to count in its cells for CAP: for each frame with --times the cell that it names. The count
starts at 0, unless the cell counts for that capability already. Until it is reserved, the capability is denied.

A cell counts for one capability and everything narrowed from it. One that counts for another is taken from it with --force only.

` + tokenHelp,
		Example: `  edgeistry cap attenuate greenhouse/owner call valve 5 times --save greenhouse/plumber
  edgeistry cap reserve greenhouse/plumber`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := c.token(args[0])
			if err != nil {
				return err
			}
			return c.ask(cmd.Context(), "reserving cells", func(ctx context.Context, _ *state.State, client *api.Client) error {
				done, err := client.Reserve(ctx, api.ReserveRequest{Capability: p.Text(), Force: force, TimeoutMS: c.timeoutMS()})
				if err != nil {
					return err
				}
				return c.show(done, func() {
					for _, cell := range done.Cells {
						what := "reserved"
						if !cell.Reserved {
							what = "kept"
						}
						c.printf("%s cell %d for frame %d: %s\n", what, cell.Cell, cell.Frame, one(int(cell.Times), "request", "requests"))
					}
				})
			})
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "take cells from other capabilities, which are denied from then on")
	return cmd
}
