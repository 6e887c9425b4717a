package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/home"
)

// maxConfig bounds a configuration file, in bytes.
const maxConfig = 256 << 10

func (c *cli) configCommand() *cobra.Command {
	return noun("config", "Check the configuration",
		"The configuration is config.yaml in the home. A key that it does not know is an error, never ignored.",
		"  edgeistry config check",
		c.configCheckCommand())
}

func (c *cli) configCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a config.yaml: that of the home, or another",
		Long:  `Check reads the file as the node does and names the line and key of what is wrong. The node need not be stopped; - reads standard input.`,
		Example: `  edgeistry config check
  edgeistry config check ./config.yaml && cp ./config.yaml "$EDGEISTRY_HOME"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir, err := c.directory()
			if err != nil {
				return err
			}
			path := filepath.Join(dir, "config.yaml")
			if len(args) == 1 {
				path = args[0]
			}
			raw, err := readBounded(path, c.stdin, maxConfig)
			if err != nil {
				return err
			}
			config, err := home.ParseConfig(raw)
			if err != nil {
				return failedf("%s: %w", path, err).Try("correct the file; the comments in a fresh config.yaml explain each key")
			}
			type checked struct {
				File string `json:"file"`
				OK   bool   `json:"ok"`
				Mesh string `json:"mesh"`
			}
			return c.show(checked{path, true, config.Mesh}, func() { c.printf("ok  %s\n", path) })
		},
	}
}
