package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) pingCommand() *cobra.Command {
	var count int
	cmd := &cobra.Command{
		Use:   "ping NODE|SERVICE",
		Short: "Say how a node is reached, direct or relayed, and the round trip",
		Long:  `Ping measures the way to a node, given by its ID or by a service that it is home to.`,
		Example: `  edgeistry ping 12D3KooW...
  edgeistry ping greenhouse --count 5`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeNodes),
		RunE: func(cmd *cobra.Command, args []string) error {
			if count < 1 || count > 20 {
				return usagef("--count %d is not within 1..20", count)
			}
			return c.ask(cmd.Context(), "waiting for "+args[0], func(ctx context.Context, _ *state.State, client *api.Client) error {
				result, err := client.Ping(ctx, api.PingRequest{Target: args[0], Count: count})
				if err != nil {
					return err
				}
				err = c.show(result, func() {
					c.printf("%s   %s, %s", result.Peer, result.Conn, roundTrip(result.RTTMS))
					if len(result.All) > 1 {
						all := make([]string, len(result.All))
						for i, ms := range result.All {
							all[i] = number(ms)
						}
						c.printf("   (%s)", strings.Join(all, ", "))
					}
					c.printf("\n")
					if result.ServiceMS > 0 {
						c.printf("%s answers itself, %s ms with its home\n", args[0], number(result.ServiceMS))
					}
				})
				if err == nil && result.ServiceProblem != "" {
					err = fail(exitNotFound, "the home node answers, %s itself does not: %s", args[0], result.ServiceProblem)
				}
				return err
			})
		},
	}
	cmd.Flags().IntVar(&count, "count", 3, "measure this `NUMBER` of times, 1 to 20")
	return cmd
}
