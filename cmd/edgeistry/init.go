package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// initFlags are the values of init; empty means the default of the configuration.
type initFlags struct {
	mesh                            string
	seeds, listen, announce, relays []string
	noListen, mdns                  bool
	api, coap                       string
	settings                        []string
}

func (c *cli) initCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the home of a node: its keys and its configuration",
		Long: `Init makes a home directory with fresh keys and a config.yaml with every setting explained. It never changes an existing home.

A node in the cloud needs nothing but the mesh's name. Every other node names one node of the mesh that it can reach, with --seed;
"edgeistry id" on that node prints the text. A node behind a NAT that nobody can reach takes --no-listen: it is then reached
through the relays of the mesh.`,
		Example: `  edgeistry init --mesh farm
  edgeistry init --mesh farm --seed /dns4/cloud.example/tcp/7776/p2p/12D3KooW... --no-listen
  edgeistry init --mesh farm --listen 0.0.0.0:9000 --api 127.0.0.1:0 --home /srv/second`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.init(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.mesh, "mesh", "edgeistry", "`NAME` of the mesh, the same on all its nodes")
	flags.StringArrayVar(&f.seeds, "seed", nil, "`ADDRESS` of a node to join the mesh by, /ip4/.../tcp/7776/p2p/12D3KooW...; may be repeated")
	flags.StringArrayVar(&f.listen, "listen", nil, "`ADDRESS:PORT` (TCP and QUIC) or multiaddr to accept mesh connections at; may be repeated (default 0.0.0.0:7776)")
	flags.BoolVar(&f.noListen, "no-listen", false, "accept no connections; be reached through relays only")
	flags.StringArrayVar(&f.announce, "announce", nil, "`ADDRESS` to tell others, for a port that a router forwards; may be repeated")
	flags.StringArrayVar(&f.relays, "relay", nil, "`ADDRESS` of a node to be relayed by with --no-listen; may be repeated (default: the seeds)")
	flags.StringVar(&f.api, "api", "127.0.0.1:7780", "loopback `ADDRESS:PORT` of the HTTP API; port 0 takes a free one at each start")
	flags.StringVar(&f.coap, "coap", "127.0.0.1:5683", "UDP `ADDRESS:PORT` for CoAP clients, or none")
	flags.BoolVar(&f.mdns, "mdns", true, "find nodes of the mesh on the local network")
	flags.StringArrayVar(&f.settings, "set", nil, "any other setting of config.yaml, as `KEY=VALUE`; may be repeated")
	return cmd
}

// initialised is what init prints.
type initialised struct {
	Node    string   `json:"node"`
	Service string   `json:"service"`
	Mesh    string   `json:"mesh"`
	Home    string   `json:"home"`
	Listen  []string `json:"listen"`
	Seeds   []string `json:"seeds"`
	API     string   `json:"api"`
	CoAP    string   `json:"coap"`
}

func (c *cli) init(cmd *cobra.Command, f initFlags) error {
	dir, err := c.directory()
	if err != nil {
		return err
	}
	cfg, err := f.config(cmd)
	if err != nil {
		return err
	}
	h, err := state.Init(dir, cfg)
	if errors.Is(err, state.ErrExists) {
		return failedf("%s is already a home; nothing was changed", dir).Try("edgeistry run%s, or another --home", c.homeFlag())
	}
	if err != nil {
		return failedf("%w", err)
	}
	out := initialised{
		Node: h.PeerID().String(), Service: h.Keys.Own().ID.String(), Mesh: cfg.Mesh, Home: h.Dir(),
		Listen: list(cfg.Listen), Seeds: list(cfg.Seeds), API: cfg.APIListen, CoAP: cfg.CoAPListen,
	}
	return c.show(out, func() {
		c.facts([2]string{"node", out.Node}, [2]string{"mesh", out.Mesh}, [2]string{"home", out.Home})
		c.note("\nnext: edgeistry run%s", c.homeFlag())
		if seed := seedHint(cfg, out.Node); seed != "" && len(cfg.Seeds) == 0 {
			c.note("other nodes then join with: edgeistry init --mesh %s --seed %s", cfg.Mesh, seed)
		}
	})
}

// config makes the configuration that the flags ask for.
func (f initFlags) config(cmd *cobra.Command) (config.Config, error) {
	cfg := config.Default()
	if len(f.settings) > 0 {
		var text strings.Builder
		for _, s := range f.settings {
			key, value, ok := strings.Cut(s, "=")
			if !ok || strings.ContainsAny(s, "\n\r") {
				return cfg, usagef("--set %.60q is not key=value", s)
			}
			fmt.Fprintf(&text, "%s: %s\n", key, value)
		}
		if !strings.HasPrefix(text.String(), "mesh:") && !strings.Contains(text.String(), "\nmesh:") {
			fmt.Fprintf(&text, "mesh: %s\n", f.mesh)
		}
		var err error
		if cfg, err = config.Parse([]byte(text.String())); err != nil {
			return cfg, usagef("--set: %w", err)
		}
	}
	given := cmd.Flags().Changed
	if f.noListen && len(f.listen) > 0 {
		return cfg, usagef("--no-listen and --listen exclude each other")
	}
	if given("mesh") || len(f.settings) == 0 {
		cfg.Mesh = f.mesh
	}
	if f.noListen {
		cfg.Listen = nil
	}
	if len(f.listen) > 0 {
		cfg.Listen = nil
		for _, text := range f.listen {
			addrs, err := listenAddrs(text)
			if err != nil {
				return cfg, err
			}
			cfg.Listen = append(cfg.Listen, addrs...)
		}
	}
	if len(f.seeds) > 0 {
		cfg.Seeds = f.seeds
	}
	if len(f.announce) > 0 {
		cfg.Announce = f.announce
	}
	if len(f.relays) > 0 {
		cfg.Relays = f.relays
	}
	if given("api") {
		cfg.APIListen = loopbackPort(f.api)
	}
	if given("coap") {
		cfg.CoAPListen = loopbackPort(f.coap)
		if f.coap == "none" {
			cfg.CoAPListen = ""
		}
	}
	if given("mdns") {
		cfg.EnableMDNS = f.mdns
	}
	if err := cfg.Check(); err != nil {
		return cfg, usagef("%w", err)
	}
	return cfg, nil
}

// listenAddrs reads a multiaddr as it is, and ADDRESS:PORT as TCP and QUIC of that port.
func listenAddrs(text string) ([]string, error) {
	if strings.HasPrefix(text, "/") {
		return []string{text}, nil
	}
	if strings.HasPrefix(text, ":") {
		text = "0.0.0.0" + text
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return nil, usagef("--listen %.80q is neither ADDRESS:PORT nor a multiaddr like /ip4/0.0.0.0/tcp/7776", text)
	}
	family := "ip4"
	if at.Addr().Is6() && !at.Addr().Is4In6() {
		family = "ip6"
	}
	addr := at.Addr().Unmap().WithZone("")
	return []string{
		fmt.Sprintf("/%s/%s/tcp/%d", family, addr, at.Port()),
		fmt.Sprintf("/%s/%s/udp/%d/quic-v1", family, addr, at.Port()),
	}, nil
}

// loopbackPort completes ":7780" to "127.0.0.1:7780".
func loopbackPort(text string) string {
	if host, port, err := net.SplitHostPort(text); err == nil && host == "" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return text
}

// seedHint is the seed that others use, with a placeholder where only the reader knows the address; "" if the node
// does not listen, or at a port that is not known before it runs.
func seedHint(cfg config.Config, node string) string {
	for _, addr := range cfg.Listen {
		if strings.Contains(addr, "/tcp/") && !strings.Contains(addr, "/tcp/0") {
			addr = strings.Replace(addr, "/ip4/0.0.0.0/", "/ip4/ADDRESS/", 1)
			addr = strings.Replace(addr, "/ip6/::/", "/ip6/ADDRESS/", 1)
			return addr + "/p2p/" + node
		}
	}
	return ""
}

// list makes a nil list an empty one, so that JSON shows [] and never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
