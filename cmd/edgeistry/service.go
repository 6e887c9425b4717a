package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) serviceCommand() *cobra.Command {
	return noun("service", "List, resolve, look at and forget nanoservices",
		`A nanoservice is something with an ID that has logs and functions, hosted by a device or by a node. Its ID (k51...) finds it from
any node of the mesh; a local name stands for an ID on this node only.`,
		`  edgeistry service resolve k51...
  edgeistry service show greenhouse`,
		c.serviceListCommand(), c.serviceResolveCommand(), c.serviceShowCommand(), c.serviceForgetCommand())
}

func (c *cli) serviceListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the services that this node knows",
		Example: "  edgeistry service ls\n  edgeistry service ls --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.ask(cmd.Context(), "asking the node for its services", func(ctx context.Context, _ *state.State, client *api.Client) error {
				services, err := client.Services(ctx)
				if err != nil {
					return err
				}
				return c.show(list(services), func() { c.serviceTable(services) })
			})
		},
	}
}

func (c *cli) serviceTable(services []api.Service) {
	rows := [][]string{{"NAME", "KIND", "STATE", "BOARD", "CAPABILITIES", "SERVICE"}}
	for _, s := range services {
		state := "unknown" // of a service that this node was not asked to reach
		switch {
		case s.Reachable == nil:
		case *s.Reachable:
			state = "reachable"
		default:
			state = "not reachable"
		}
		if s.Problem != "" {
			state += " (" + s.Problem + ")"
		}
		rows = append(rows, []string{orDash(s.Name), s.Kind, state, orDash(s.Board), orDash(strings.Join(s.Capabilities, ", ")), s.Service})
	}
	c.table(rows)
}

func (c *cli) serviceResolveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resolve SERVICE",
		Short: "Find a service in the mesh by its ID",
		Long: `Resolve looks the service's signed record up in the mesh's registry and says which nodes are home to it, how they are reached, and
how long the record is valid.`,
		Example:           "  edgeistry service resolve k51...\n  edgeistry service resolve greenhouse --json",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeServices),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd.Context(), "looking "+args[0]+" up in the mesh", func(ctx context.Context, _ *state.State, client *api.Client) error {
				found, err := client.Resolve(ctx, args[0])
				if err != nil {
					return err
				}
				return c.show(found, func() { c.showResolution(found) })
			})
		},
	}
}

func (c *cli) showResolution(r *api.Resolution) {
	service := r.Service
	if r.Name != "" {
		service += " (" + r.Name + ")"
	}
	lines := [][2]string{{"service", service}}
	for _, h := range r.Homes {
		lines = append(lines, [2]string{"home", describeHome(h)})
	}
	left := "over since " + span(c.now().Sub(r.Expiry))
	if d := r.Expiry.Sub(c.now()); d > 0 {
		left = "valid " + span(d)
	}
	where := map[string]string{"own": "own record", "dht": "from the mesh", "cache": "kept from before"}[r.From]
	lines = append(lines, [2]string{"record", fmt.Sprintf("sequence %d, %s (%s, %s ms)", r.Sequence, left, where, number(r.TookMS))})
	c.facts(lines...)
}

// describeHome says how a home node is reached: "12D3KooW... (direct, 41 ms)".
func describeHome(h api.Home) string {
	how := h.Conn
	if h.Self {
		how = "this node"
	}
	if h.RTTMS > 0 {
		how += ", " + number(h.RTTMS) + " ms"
	}
	if h.Error != "" {
		how += ": " + h.Error
	}
	return fmt.Sprintf("%s (%s)", h.Peer, how)
}

// serviceShown is what show prints: the node's answer, and the service's own timer.
type serviceShown struct {
	*api.ServiceDetail
	Timer *timerShown `json:"timer,omitempty"`
}

type timerShown struct {
	Boot uint32 `json:"boot"`
	Tick uint32 `json:"tick"` // 100 ms since that boot
}

func (c *cli) serviceShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show SERVICE",
		Short: "Show what a service offers and how it is now",
		Long: `Show asks the service itself: its logs with their heads, its functions with the arguments they take, whether it is reachable,
and its timer, which "cap attenuate --lease" counts by.`,
		Example:           "  edgeistry service show greenhouse\n  edgeistry service show k51... --json",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeServices),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.ask(cmd.Context(), "asking "+args[0]+" for its state", func(ctx context.Context, _ *state.State, client *api.Client) error {
				detail, err := client.Show(ctx, args[0])
				if err != nil {
					return err
				}
				shown := serviceShown{ServiceDetail: detail}
				if id, err := edgeistry.ParseServiceID(detail.Service); err == nil && detail.Reachable {
					if t, err := askTimer(ctx, client, id, c.timeoutMS()); err == nil {
						shown.Timer = &timerShown{t.boot, t.tick}
					}
				}
				return c.show(shown, func() { c.showService(shown) })
			})
		},
	}
}

func (c *cli) showService(s serviceShown) {
	var logs, functions []string
	for _, l := range s.Logs {
		logs = append(logs, describeLog(l))
	}
	for _, f := range s.Manifest.Functions {
		functions = append(functions, describeFunction(f))
	}
	lines := [][2]string{
		{"service", strings.TrimSpace(s.Service + "   " + s.Name)},
		{"logs", orDash(strings.Join(logs, "   "))},
		{"functions", orDash(strings.Join(functions, "   "))},
	}
	for i, h := range s.Homes {
		name := "homes"
		if i > 0 {
			name = ""
		}
		text := describeHome(h)
		if i == 0 {
			if s.AwakeAlways {
				text += "   awake always"
			}
			text += "   " + reachability(s.ServiceDetail)
		}
		lines = append(lines, [2]string{name, text})
	}
	if s.DeviceLine != "" {
		lines = append(lines, [2]string{"device", s.DeviceLine})
	} else if s.Manifest.Board != "" {
		lines = append(lines, [2]string{"board", strings.TrimSpace(s.Manifest.Board + " " + s.Manifest.Firmware)})
	}
	if s.Timer != nil {
		lines = append(lines, [2]string{"timer", fmt.Sprintf("boot %d, tick %d", s.Timer.Boot, s.Timer.Tick)})
	}
	for i, r := range s.Revocations {
		name := "revoked"
		if i > 0 {
			name = ""
		}
		lines = append(lines, [2]string{name, whatEnds(r) + ": " + c.stateOf(r)})
	}
	if s.Capability != "" {
		lines = append(lines, [2]string{"seen with", s.Capability})
	}
	c.facts(lines...)
}

func reachability(s *api.ServiceDetail) string {
	if s.Reachable {
		return "reachable yes, " + roundTrip(s.RTTMS)
	}
	if s.Problem != "" {
		return "reachable no: " + s.Problem
	}
	return "reachable no"
}

// describeLog says "temperature (every 10 s, 2 bytes, head 41)".
func describeLog(l api.LogDetail) string {
	var facts []string
	if l.Period > 0 {
		facts = append(facts, fmt.Sprintf("every %d s", l.Period))
	}
	if l.Size > 0 {
		facts = append(facts, one(int(l.Size), "byte", "bytes"))
	}
	switch {
	case l.Head != nil:
		head := fmt.Sprintf("head %d", l.Head.Sequence)
		if l.Copy {
			head += " of the copy"
		}
		facts = append(facts, head)
	case l.Error != "":
		facts = append(facts, "head unknown: "+l.Error)
	}
	if len(facts) == 0 {
		return l.Name
	}
	return fmt.Sprintf("%s (%s)", l.Name, strings.Join(facts, ", "))
}

// describeFunction says "valve (1 byte: 0..100)".
func describeFunction(f edgeistry.FunctionInfo) string {
	spec, err := parseField(f.Argument)
	if err != nil {
		return f.Name
	}
	return fmt.Sprintf("%s (%s: %d..%d)", f.Name, one(spec.bytes, "byte", "bytes"), spec.min, spec.max)
}
