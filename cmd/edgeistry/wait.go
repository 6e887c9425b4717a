package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// waitEvery is the pause between two looks at a node that is not ready yet.
const waitEvery = 100 * time.Millisecond

func (c *cli) waitCommand() *cobra.Command {
	var peers int
	var mesh bool
	cmd := &cobra.Command{
		Use:   "wait",
		Short: "Wait until the node is ready, for scripts",
		Long: `Wait returns when the node of this home is ready: it serves its site, also while it has no connection to its mesh. With --mesh wait
returns when the node takes part in its mesh, too. The node need not be started yet. --timeout bounds the wait.`,
		Example: `  edgeistry run & edgeistry wait && edgeistry status
  edgeistry wait --mesh --timeout 1m
  edgeistry wait --peers 1 --timeout 1m`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := c.openHome()
			if err != nil {
				return err
			}
			ctx, cancel := c.bounded(cmd.Context(), "waiting for the node of "+h.Dir())
			defer cancel()
			status, err := waitReady(ctx, h, peers, mesh)
			if err != nil {
				return c.lateNode(ctx, h, err)
			}
			return c.show(status, func() {
				c.printf("ready  node %s  mesh %s  peers %d\n", status.Node, status.Mesh, len(status.Peers))
			})
		},
	}
	cmd.Flags().BoolVar(&mesh, "mesh", false, "wait until the node takes part in its mesh, too")
	cmd.Flags().IntVar(&peers, "peers", 0, "wait until this `NUMBER` of peers is connected, too")
	return cmd
}

// waitReady looks until the node is ready; its error is what the last look found.
func waitReady(ctx context.Context, h *state.State, peers int, mesh bool) (*api.Status, error) {
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	var last error
	for {
		status, err := lookReady(ctx, h, peers, mesh)
		if err == nil {
			return status, nil
		}
		if ctx.Err() == nil || last == nil {
			last = err // the end of ctx itself says nothing about the node
		}
		select {
		case <-ctx.Done():
			return nil, last
		case <-tick.C:
		}
	}
}

func lookReady(ctx context.Context, h *state.State, peers int, mesh bool) (*api.Status, error) {
	client, err := api.Dial(h)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := client.Ready(ctx); err != nil {
		return nil, err
	}
	if mesh {
		if err := client.InMesh(ctx); err != nil {
			return nil, err
		}
	}
	status, err := client.Status(ctx)
	if err != nil {
		return nil, err
	}
	if len(status.Peers) < peers {
		return nil, failedf("%s connected, %d wanted", one(len(status.Peers), "peer", "peers"), peers)
	}
	return status, nil
}

// lateNode says that the time was too short and what the last look found.
func (c *cli) lateNode(ctx context.Context, h *state.State, last error) error {
	if ctx.Err() == nil || c.timeout <= 0 {
		return last
	}
	if exitCode(last) == exitNotFound {
		last = c.noNode(h)
	}
	return fail(exitTimeout, "timed out after %s: the node is not ready: %w", c.timeout, last).Try("edgeistry doctor%s", c.homeFlag())
}
