package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) deviceClockCommand() *cobra.Command {
	var set string
	cmd := &cobra.Command{
		Use:   "clock DEVICE",
		Short: "Compare a device's clock with this node's, or set it",
		Long: `Clock asks a device by how much its clock is ahead of this node's, or behind it. The node sets a device's clock forward by itself. It
never sets one back: capabilities that had expired would hold again. A device that was told a time from years ahead, by a node whose own
clock was wrong, refuses every capability that ends some day. --set now sets its clock to this node's time, back too, under the owner's
own capability. Look first whether this node's clock is right.`,
		Example:           "  edgeistry device clock greenhouse\n  edgeistry device clock greenhouse --set now",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: c.completeDevices,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("set") && set != "now" {
				return usagef("--set %.40q: a device's clock is set to this node's time: --set now", set)
			}
			req := api.DeviceClockRequest{Device: args[0], Set: set == "now", TimeoutMS: c.timeoutMS()}
			return c.ask(cmd.Context(), "asking "+args[0]+" for its clock", func(ctx context.Context, _ *state.State, client *api.Client) error {
				clock, err := client.DeviceClock(ctx, req)
				if err != nil {
					return err
				}
				return c.show(clock, func() {
					name := nameOr(clock.Name, clock.Service)
					if clock.Set {
						c.printf("set the clock of %s to %s\n", name, stamp(clock.Node))
					}
					c.printf("the clock of %s is %s\n", name, clockOff(clock.AheadS, clock.BehindS, clock.Unknown, clock.Refused))
				})
			})
		},
	}
	cmd.Flags().StringVar(&set, "set", "", "set the device's clock to this node's `TIME`: now")
	return cmd
}

// clockOff says how a device's clock stands to the node's.
func clockOff(aheadS, behindS int, unknown, refused bool) string {
	switch {
	case unknown && refused:
		return "not set: it refuses this node's time, since it was told a later one"
	case unknown:
		return "not set"
	case aheadS > 0:
		return "ahead of this node's by " + span(time.Duration(aheadS)*time.Second) + " or more"
	case behindS > 0:
		return "behind this node's by " + span(time.Duration(behindS)*time.Second) + " or more"
	}
	return "right, to a minute"
}

// deviceClocks finds the devices whose clock is off. A device that is ahead refuses capabilities that have not expired.
func (x *examination) deviceClocks(devices []api.Device) {
	for _, d := range devices {
		stuck := d.ClockRefused && !d.ClockSet
		if d.ClockAheadS == 0 && d.ClockBehindS == 0 && !stuck {
			continue
		}
		state := warning
		if d.ClockAheadS >= 86_400 || d.ClockBehindS >= 86_400 || stuck && d.ClockAheadS == 0 {
			state = broken
		}
		name := nameOr(d.Name, d.Service)
		x.add("device clock", state, "if this node's clock is right: edgeistry device clock "+name+" --set now", "the clock of %s is %s", name, clockOff(d.ClockAheadS, d.ClockBehindS, stuck && d.ClockAheadS == 0, d.ClockRefused))
	}
}
