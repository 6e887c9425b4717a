package main

import (
	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/capability"
)

// dischargeShown is the word of a guard with --json.
type dischargeShown struct {
	Discharge string `json:"discharge"` // the secret
	Allows    string `json:"allows"`
}

func (c *cli) capDischargeCommand() *cobra.Command {
	var w wishFlags
	cmd := &cobra.Command{
		Use:   "discharge GUARDCAP LOCKCAP [WISH ...]",
		Short: "Give a guard's word for a capability that demands it (no node, no network)",
		Long: `Discharge prints the word of a guard (edis1_...) for LOCKCAP, a capability with a frame that demands it. GUARDCAP is the capability
of the guard's own service that was given to --guard when that frame was made. Whoever gets the text can use LOCKCAP with it, for
as long as the wish says: treat it like a token.

` + wishHelp + `

--lease ends by the timer of the lock's device.

` + tokenHelp,
		Example: `  edgeistry cap discharge office/doorman lock/visitor for 5m > word.txt
  edgeistry cap discharge office/doorman lock/visitor --lease 30s --boot 7 --tick 41230
  edgeistry call lock/door --cap lock/visitor --discharge @word.txt`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "-" && args[1] == "-" {
				return usagef("only one of GUARDCAP and LOCKCAP can be standard input")
			}
			guard, err := c.token(args[0])
			if err != nil {
				return err
			}
			lock, err := c.token(args[1])
			if err != nil {
				return err
			}
			if !lock.Demands(guard) {
				return usagef("%s demands no word of this guard: none of its frames was made with --guard and this capability", nameFor(args[1], "the second capability")).
					Try("edgeistry cap inspect, which names the guards by their hints")
			}
			wish, err := c.wish(cmd, args[2:], &w, lock.Service)
			if err != nil {
				return err
			}
			spec, err := wish.Spec()
			if err != nil {
				return usagef("%w", err)
			}
			d, err := guard.Discharge(spec)
			if err != nil {
				return usagef("%w", err)
			}
			return c.showDischarge(d)
		},
	}
	w.registerWish(cmd)
	return cmd
}

func (c *cli) showDischarge(d *capability.Discharge) error {
	return c.show(dischargeShown{d.Text(), d.Frame.Describe()}, func() {
		c.printf("%s\n", d.Text())
		c.note("allows %s", d.Frame.Describe())
	})
}

// nameFor says how a capability was given, without its text.
func nameFor(arg, otherwise string) string {
	if arg == "-" || looksLikeToken(arg) {
		return otherwise
	}
	return arg
}
