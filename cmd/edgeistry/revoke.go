package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) capRevokeCommand() *cobra.Command {
	var generation, epoch, yes bool
	cmd := &cobra.Command{
		Use:   "revoke CAP",
		Short: "End a capability that was given away, and what was narrowed from it",
		Long: `Revoke runs on the node of the service's owner. The capability goes on the deny list of this home at once. The service itself is told
too, as soon as it can be reached: a capability of branch 1 to 14 ends with the generation of its branch, which ends every other capability
of that branch as well. Two branches are shared by all: what was narrowed from the owner's capability is of the owner's, the mirror half of
every pair is of branch 15. These go on the deny list alone, unless --generation ends all of the branch. --epoch ends everything that was
ever shared of the service. The owner's own capability is made anew.

` + tokenHelp,
		Example: `  edgeistry cap revoke greenhouse/anna
  edgeistry cap revoke greenhouse/owner --generation
  edgeistry cap revoke greenhouse/owner --epoch --yes`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if generation && epoch {
				return usagef("--generation and --epoch exclude each other: an epoch ends all generations")
			}
			r := api.RevokeRequest{Capability: args[0], Generation: generation, Epoch: epoch, TimeoutMS: c.timeoutMS()}
			if args[0] == "-" || looksLikeToken(args[0]) {
				found, err := c.token(args[0])
				if err != nil {
					return err
				}
				r.Capability = found.Text()
			}
			return c.ask(cmd.Context(), "revoking", func(ctx context.Context, _ *state.State, client *api.Client) error {
				preview := r
				preview.Preview = true
				will, err := client.Revoke(ctx, preview)
				if err != nil {
					return err
				}
				if !c.json {
					c.note("%s", strings.Join(foretell(will), "\n"))
				}
				if !yes {
					if err := c.confirm(); err != nil {
						return err
					}
				}
				done, err := client.Revoke(ctx, r)
				if err != nil {
					return err
				}
				return c.show(done, func() { c.showRevoked(done) })
			})
		},
	}
	cmd.Flags().BoolVar(&generation, "generation", false, "end the shared branches, too: everything narrowed from the owner's capability, or the mirror halves of all pairs")
	cmd.Flags().BoolVar(&epoch, "epoch", false, "begin the next epoch: everything ever shared ends")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirm asks on a terminal; a script has said what it wants.
func (c *cli) confirm() error {
	if c.json || !terminal(c.stdin) {
		return nil
	}
	fmt.Fprint(c.stderr, "revoke? [y/N] ")
	line, err := bufio.NewReader(c.stdin).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	if err != nil || (answer != "y" && answer != "yes") {
		return failedf("nothing was revoked")
	}
	return nil
}

// foretell returns what a revocation will end, one line each.
func foretell(r *api.RevokeResult) []string {
	name := orToken(r.Capability)
	var lines []string
	if r.Ended != "" {
		lines = append(lines, name+" is over already: "+r.Ended)
	}
	if len(r.Fingerprints) > 0 {
		lines = append(lines, "ends at this home: "+name+" and all that was narrowed from it")
	}
	for _, change := range r.Changes {
		lines = append(lines, "ends at the service: "+whatEnds(change))
	}
	if len(r.Changes) == 0 && r.Ended == "" {
		lines = append(lines, "does not end at the service itself: who reaches it past this home may go on (--generation ends that)")
	}
	var order []string
	groups := map[string][]string{}
	for _, also := range r.AlsoEnds {
		if groups[also.Why] == nil {
			order = append(order, also.Why)
		}
		groups[also.Why] = append(groups[also.Why], also.Name)
	}
	for _, why := range order {
		lines = append(lines, fmt.Sprintf("also ends: %s: %s", strings.Join(groups[why], ", "), why))
	}
	return lines
}

func orToken(name string) string {
	if name == "" {
		return "the capability"
	}
	return name
}

// whatEnds returns what a change ends.
func whatEnds(r api.Revocation) string {
	if r.Epoch != 0 {
		return fmt.Sprintf("epoch %d, everything that was ever shared", r.Epoch-1)
	}
	if r.Branch == nil || r.Generation == nil {
		return r.Kind
	}
	return fmt.Sprintf("branch %d, generation %d", *r.Branch, *r.Generation-1)
}

func (c *cli) showRevoked(r *api.RevokeResult) {
	c.printf("revoked %s\n", orToken(r.Capability))
	for _, change := range r.Changes {
		c.printf("%s: %s\n", whatEnds(change), c.stateOf(change))
	}
}

// stateOf says how far a revocation is.
func (c *cli) stateOf(r api.Revocation) string {
	switch r.State {
	case api.RevokedHere:
		return "denied at this home"
	case api.RevokedDone:
		return "done " + stamp(r.Done)
	}
	text := "waiting for the device"
	if !r.Tried.IsZero() {
		text += ", last tried " + span(c.now().Sub(r.Tried)) + " ago"
	}
	if r.Problem != "" {
		text += ": " + r.Problem
	}
	return text
}

func (c *cli) capRevocationsCommand() *cobra.Command {
	var remove string
	cmd := &cobra.Command{
		Use:   "revocations [SERVICE]",
		Short: "List what was revoked, and what the service has not confirmed yet",
		Long: `Revocations lists the deny list of this home, and the generations and epochs that were ended at the service: done, or waiting for the
device with the reason. --remove takes one capability out of the deny list again; what the service has ended stays ended.`,
		Example: `  edgeistry cap revocations greenhouse
  edgeistry cap revocations greenhouse --remove 30a585ed3ace42775856b5a664fba8d4`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: first(c.completeServices),
		RunE: func(cmd *cobra.Command, args []string) error {
			service := ""
			if len(args) == 1 {
				service = args[0]
			}
			if remove != "" && service == "" {
				return usagef("--remove needs the service, too")
			}
			return c.ask(cmd.Context(), "asking the node for its revocations", func(ctx context.Context, _ *state.State, client *api.Client) error {
				if remove != "" {
					if err := client.Allow(ctx, api.AllowRequest{Service: service, Fingerprint: remove}); err != nil {
						return err
					}
					return c.show(map[string]string{"removed": remove}, func() { c.printf("removed %s from the deny list\n", remove) })
				}
				all, err := client.Revocations(ctx, service)
				if err != nil {
					return err
				}
				return c.show(list(all), func() { c.revocationTable(all) })
			})
		},
	}
	cmd.Flags().StringVar(&remove, "remove", "", "take this `FINGERPRINT` out of the deny list")
	return cmd
}

func (c *cli) revocationTable(all []api.Revocation) {
	if len(all) == 0 {
		c.note("nothing was revoked")
		return
	}
	rows := [][]string{{"SERVICE", "WHAT", "SINCE", "STATE"}}
	for _, r := range all {
		name, what := r.Name, whatEnds(r)
		if name == "" {
			name = r.Service
		}
		if r.Kind == "denied" {
			what = strings.TrimSpace(r.Capability + " " + r.Fingerprint)
			if r.Branch != nil && *r.Branch == capability.BranchMirror {
				what += " (mirror half)"
			}
		}
		rows = append(rows, []string{name, what, stamp(r.Since), c.stateOf(r)})
	}
	c.table(rows)
}
