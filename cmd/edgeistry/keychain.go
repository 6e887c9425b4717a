package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/capability"
)

func (c *cli) capListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Short:   "List the keychain",
		Example: "  edgeistry cap ls\n  edgeistry cap ls --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			h, err := c.openHome()
			if err != nil {
				return err
			}
			entries, damaged := h.Keychain.All()
			list := make([]inspection, 0, len(entries))
			for _, e := range entries {
				list = append(list, inspect(e.Name, e.Capability, h, c.now()))
			}
			err = c.show(list, func() {
				rows := [][]string{{"NAME", "ALLOWS", "UNTIL"}}
				for _, in := range list {
					rows = append(rows, []string{in.Name, allows(in.Frames), ends(in)})
				}
				c.table(rows)
			})
			if damaged != nil {
				return failedf("%w", damaged)
			}
			return err
		},
	}
}

func allows(frames []string) string {
	text := ""
	for i, frame := range frames {
		if i > 0 {
			text += " + "
		}
		text += frame
	}
	return text
}

func ends(in inspection) string {
	text := "no end"
	switch t, err := time.Parse(time.RFC3339, in.Expires); {
	case in.Ended != "":
		return "revoked: " + in.Ended
	case in.Expired:
		return "over"
	case err == nil:
		text = stamp(t)
	}
	if in.MirrorEnded != "" {
		text += "; its mirror half is revoked"
	}
	return text
}

func (c *cli) capImportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import NAME [TOKEN]",
		Short: "Keep a token that you were given in the keychain",
		Long: `Import saves the text of a token under a name of the form SERVICE/NAME. Left out or -, the text is read from standard
input, which keeps it out of the process list and the shell's history. A service that has no local name yet takes the first half.`,
		Example: `  edgeistry cap import greenhouse/anna < token.txt
  edgeistry cap import greenhouse/anna ecap1_AQ...`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			h, err := c.openHome()
			if err != nil {
				return err
			}
			text := "-"
			if len(args) == 2 {
				text = args[1]
			}
			if text != "-" && !looksLikeToken(text) {
				return usagef("this is not a token: it does not begin with %s", tokenPrefix)
			}
			if text == "-" && terminal(c.stdin) {
				c.note("paste the token, then Enter and Ctrl-D:")
			}
			p, err := c.token(text)
			if err != nil {
				return err
			}
			if err := keep(h, args[0], p); err != nil {
				return err
			}
			in := inspect(args[0], p, h, c.now())
			return c.show(minted{Saved: args[0], inspection: in}, func() {
				c.printf("saved %s\n", args[0])
				in.Name = "" // it was just said
				c.showInspection(in)
			})
		},
	}
}

func (c *cli) capRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "rm NAME",
		Short:             "Forget a capability of the keychain",
		Long:              `Rm deletes the text from this keychain. Copies that others hold keep working: what was given away is ended by "cap revoke".`,
		Example:           "  edgeistry cap rm greenhouse/anna",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeNames),
		RunE: func(_ *cobra.Command, args []string) error {
			h, err := c.openHome()
			if err != nil {
				return err
			}
			p, err := keychainEntry(h, args[0])
			if err != nil {
				return err
			}
			if p.Header.Branch == capability.BranchOwner && len(p.Frames) == 1 && len(p.Frames[0]) == 0 {
				if _, err := h.Keys.Get(p.Service); err != nil {
					return usagef("%s is the owner's capability and this home holds no key to make it again", args[0])
				}
			}
			if err := h.Keychain.Remove(args[0]); err != nil {
				return failedf("%w", err)
			}
			return c.show(map[string]string{"removed": args[0]}, func() { c.printf("removed %s\n", args[0]) })
		},
	}
}
