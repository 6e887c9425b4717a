package main

import (
	"github.com/spf13/cobra"
)

func (c *cli) capCommand() *cobra.Command {
	return noun("cap", "Mint, narrow, look at and keep capabilities",
		`A capability is the permission to do something with one service. Whoever holds one can narrow it and pass it on, with
no network and without asking anyone; nobody can widen it. Treat the text of a token like a password.`,
		`  edgeistry cap attenuate greenhouse/owner --read temperature --call valve --arg 0..30 --until friday --save greenhouse/anna
  edgeistry cap show greenhouse/anna --qr`,
		c.capMintCommand(), c.capAttenuateCommand(), c.capInspectCommand(), c.capExplainCommand(), c.capShowCommand(),
		c.capDischargeCommand(), c.capReserveCommand(),
		c.capListCommand(), c.capImportCommand(), c.capRemoveCommand(),
		c.capRevokeCommand(), c.capRevocationsCommand())
}

func (c *cli) capInspectCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "inspect CAP",
		Short: "Say what a capability allows and what it costs (needs no key, no node)",
		Long: `Inspect prints what every frame allows, who could have added it, and what using the capability costs in bytes and in time on an
ATmega328P: the first request opens a session, later ones find it kept. It never prints the secret.

` + tokenHelp,
		Example: `  edgeistry cap inspect greenhouse/anna
  edgeistry cap inspect ecap1_AQ...
  edgeistry cap inspect - < token.txt`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(c.completeNames),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := c.token(args[0])
			if err != nil {
				return err
			}
			name := args[0]
			if name == "-" || looksLikeToken(name) {
				name = ""
			}
			h, _ := c.openHome() // only for the local name of the service; a home is not needed
			in := inspect(name, p, h, c.now())
			return c.show(in, func() {
				c.showInspection(in)
				c.showFrames(in)
			})
		},
	}
}

func (c *cli) capShowCommand() *cobra.Command {
	var code qrFlags
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Print the token of a capability in the keychain, to give it away",
		Long: `Show prints the secret itself: who has the text has the permission. Give it by mail, chat, paper, or let the other side
scan the QR code. With --qr-file the secret is in that file alone.`,
		Example: `  edgeistry cap show greenhouse/anna --qr
  edgeistry cap show greenhouse/anna --qr-file anna.svg
  edgeistry cap show greenhouse/anna | ssh lab edgeistry cap import greenhouse/anna -`,
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
			if c.json {
				if err := code.write(c, p); err != nil {
					return err
				}
				out := minted{inspection: inspect(args[0], p, h, c.now())}
				if !code.fileAlone() {
					out.Token = p.Text()
				}
				return c.show(out, nil)
			}
			return c.printToken(p, &code)
		},
	}
	code.register(cmd)
	return cmd
}
