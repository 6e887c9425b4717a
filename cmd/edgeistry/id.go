package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/api"
)

// identity is what id prints.
type identity struct {
	Node    string   `json:"node"`
	Service string   `json:"service"`
	Mesh    string   `json:"mesh"`
	Home    string   `json:"home"`
	Seeds   []string `json:"seeds"` // what other nodes give as --seed to join through this one
	Running bool     `json:"running"`
}

func (c *cli) idCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "id",
		Short: "Print who this node is, and how others join the mesh through it",
		Long: `Id prints the node's ID, the ID of the service that the node itself is, and the texts that other nodes give as --seed. It
works without the node running; the addresses are then those of the configuration.`,
		Example: "  edgeistry id\n  edgeistry id --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := c.openHome()
			if err != nil {
				return err
			}
			config := h.Config()
			out := identity{Node: h.PeerID().String(), Service: h.Keys.Own().ID.String(), Mesh: config.Mesh, Home: h.Dir(), Seeds: []string{}}
			if status := c.statusIfRunning(cmd.Context()); status != nil {
				out.Running = true
				for _, addr := range status.Addrs {
					out.Seeds = append(out.Seeds, withPeer(addr, out.Node))
				}
			} else if seed := seedHint(config, out.Node); seed != "" {
				out.Seeds = append(out.Seeds, seed)
			}
			return c.show(out, func() {
				lines := [][2]string{{"node", out.Node}, {"service", out.Service}, {"mesh", out.Mesh}, {"home", out.Home}}
				for _, seed := range out.Seeds {
					lines = append(lines, [2]string{"seed", seed})
				}
				c.facts(lines...)
			})
		},
	}
}

// statusIfRunning asks the node for its state and gives nil if there is none; it is for commands that work without.
func (c *cli) statusIfRunning(ctx context.Context) *api.Status {
	_, client, err := c.connect()
	if err != nil {
		return nil
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	status, err := client.Status(ctx)
	if err != nil {
		return nil
	}
	return status
}
