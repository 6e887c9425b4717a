package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the node: its mesh, how it is reached, its peers and services",
		Long: `Status says what is true now: a peer is listed while it is connected, with "direct" or "relayed through" whom and the round
trip; a service is reachable if it answered the last time.`,
		Example: "  edgeistry status\n  edgeistry status --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd.Context(), "asking the node for its state", func(ctx context.Context, _ *state.State, client *api.Client) error {
				status, err := client.Status(ctx)
				if err != nil {
					return err
				}
				return c.show(status, func() { c.showStatus(status) })
			})
		},
	}
}

func (c *cli) showStatus(s *api.Status) {
	state := "starting"
	if s.Ready {
		state = "ready"
	}
	mesh := fmt.Sprintf("%s   %s, %s", s.Mesh, s.Standing, one(len(s.Peers), "peer", "peers"))
	if s.MeshProblem != "" && len(s.Seeds) == 0 {
		mesh += "; " + s.MeshProblem
	}
	reach := s.Relay.Text
	if reach == "" {
		reach = s.Relay.State
	}
	if s.Relay.Serving {
		reach += "; relays for others"
	}
	ports := s.API
	if s.CoAP != "" {
		ports += "   coap " + s.CoAP
	}
	lines := [][2]string{
		{"node", fmt.Sprintf("%s   %s", s.Node, state)},
		{"running", fmt.Sprintf("for %s, version %s, process %d", span(c.now().Sub(s.Started)), s.Version, s.PID)},
		{"mesh", mesh},
	}
	if s.Twin != nil {
		lines = append(lines, [2]string{"identity", "another node runs with this node's identity, at " + twinAddr(s.Twin) + "; edgeistry doctor says what to do"})
	}
	if st := s.Streams; st.Refused+st.Dropped > 0 {
		lines = append(lines, [2]string{"streams", fmt.Sprintf("%d open, %d of peers that used a capability here; %d refused, %d dropped",
			st.Open, st.Proved, st.Refused, st.Dropped)})
	}
	for _, seed := range s.Seeds {
		if seed.Problem != "" {
			lines = append(lines, [2]string{"seed", seed.ID + "   " + seed.Problem})
		}
	}
	lines = append(lines, [][2]string{
		{"reach", reach},
		{"api", ports},
		{"home", s.Home},
	}...)
	for _, addr := range s.Addrs {
		lines = append(lines, [2]string{"address", addr})
	}
	c.facts(lines...)
	if len(s.Peers) > 0 {
		c.printf("\n")
		rows := [][]string{{"PEER", "CONNECTION", "ROUND TRIP", "ADDRESS"}}
		for _, p := range s.Peers {
			rows = append(rows, []string{p.ID, p.Conn, roundTrip(p.RTTMS), p.Addr})
		}
		c.table(rows)
	}
	if len(s.Services) > 0 {
		c.printf("\n")
		c.serviceTable(s.Services)
	}
}

// roundTrip prints a measured round trip, or that there is none.
func roundTrip(ms float64) string {
	if ms <= 0 {
		return "-"
	}
	if ms < 0.05 {
		return "<0.1 ms"
	}
	return number(ms) + " ms"
}

func withPeer(addr, node string) string {
	if strings.Contains(addr, "/p2p/"+node) {
		return addr
	}
	return addr + "/p2p/" + node
}

// twinAddr returns where another node with this node's identity is.
func twinAddr(t *api.Twin) string {
	if len(t.Addrs) == 0 {
		return "an unknown address"
	}
	return t.Addrs[0]
}
