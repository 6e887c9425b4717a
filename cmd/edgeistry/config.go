package main

import (
	"path/filepath"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
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
	var elsewhere bool
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a config.yaml: that of the home, or another",
		Long: `Check reads the file as the node does and names the line and key of what is wrong. Then it tries to take every address that the
node will listen at, and says which the system refuses. The node need not be stopped: what it has itself is in use by this node. - reads
standard input.`,
		Example: `  edgeistry config check
  edgeistry config check ./config.yaml && cp ./config.yaml "$EDGEISTRY_HOME"
  edgeistry config check ./cloud.yaml --elsewhere`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
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
			config, err := config.Parse(raw)
			if err != nil {
				return failedf("%s: %w", path, err).Try("correct the file; the comments in a fresh config.yaml explain each key")
			}
			out := checkedConfig{File: path, OK: true, Mesh: config.Mesh, Ports: "not tried", Notes: ownSeeds(dir, &config)}
			if !elsewhere {
				problems, own := unusable(cmd.Context(), &config, c.ownPorts(cmd.Context()))
				if len(problems) > 0 {
					return failedf("%s: %s", path, strings.Join(problems, "; ")).
						Try("another address, or stop what uses it (ss -lntup); --elsewhere if the file is for another machine")
				}
				out.Ports = "free"
				if own {
					out.Ports = "in use by this node"
				}
			}
			return c.show(out, func() {
				c.printf("ok  %s\n", path)
				if own := out.Ports; own == "in use by this node" {
					c.note("its ports are %s", own)
				}
				for _, note := range out.Notes {
					c.note("%s", note)
				}
			})
		},
	}
	cmd.Flags().BoolVar(&elsewhere, "elsewhere", false, "the file is for another machine: do not try its addresses")
	return cmd
}

// checkedConfig is what config check prints.
type checkedConfig struct {
	File  string   `json:"file"`
	OK    bool     `json:"ok"`
	Mesh  string   `json:"mesh"`
	Ports string   `json:"ports"` // free, in use by this node, or not tried
	Notes []string `json:"notes,omitempty"`
}

// ownSeeds returns a note for each list of nodes to join by that names the node of a home itself. Such an entry is left
// out, because one list may serve all nodes of a mesh; alone it joins nothing.
func ownSeeds(dir string, config *config.Config) []string {
	h, err := state.Open(dir)
	if err != nil {
		return nil // the file is checked for another machine
	}
	var notes []string
	for _, list := range []struct {
		key   string
		nodes []peer.AddrInfo
	}{{"seeds", config.SeedAddrs()}, {"relays", configuredRelays(config)}} {
		own := 0
		for _, info := range list.nodes {
			if info.ID == h.PeerID() {
				own++
			}
		}
		switch {
		case own == 0:
		case own == len(list.nodes):
			notes = append(notes, list.key+": the only node named is this node itself; it is left out, so this node joins nobody")
		default:
			notes = append(notes, list.key+": this node itself is named; it is left out")
		}
	}
	return notes
}

// configuredRelays returns the relays that are configured by themselves, not the seeds that stand in for them.
func configuredRelays(config *config.Config) []peer.AddrInfo {
	if len(config.Relays) == 0 {
		return nil
	}
	return config.RelayAddrs()
}
