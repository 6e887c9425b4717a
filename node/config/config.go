// Package config is the file config.yaml: what a person decides about a node. It promises that a configuration it accepts can be
// written and read again unchanged, and that an error names the line or the key. It opens nothing.
//
//	c, err := config.Parse(data)
//	if err != nil {
//		return err // line 3: unknown key "lisen" (known: mesh, listen, ...)
//	}
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/internal/yamlfile"
)

// Config is config.yaml. A key that is absent has the value that Default gives; an unknown key is an error.
type Config struct {
	// Mesh is the name all nodes of a mesh share; it is part of the DHT protocol's name.
	Mesh string `yaml:"mesh"`
	// Listen holds the multiaddrs that the node accepts mesh connections on. Empty: none; the node is reached
	// through the relays only.
	Listen []string `yaml:"listen"`
	// Announce holds multiaddrs to tell others besides those found, for a port that a router forwards.
	Announce []string `yaml:"announce"`
	// Seeds are nodes to join the mesh by: multiaddrs that end in /p2p/ID.
	Seeds []string `yaml:"seeds"`
	// Relays are the nodes to reserve a slot at when the node has no listening address; empty: the seeds.
	Relays []string `yaml:"relays"`
	// APIListen is the loopback address of the HTTP API.
	APIListen string `yaml:"api_listen"`
	// CoAPListen is the UDP address of the CoAP port; empty: none.
	CoAPListen string `yaml:"coap_listen"`
	// EnableMDNS finds nodes of the mesh on the local network.
	EnableMDNS bool `yaml:"enable_mdns"`
	// EnableRelayService relays for other nodes of the mesh while this one has a listening address.
	EnableRelayService bool `yaml:"enable_relay_service"`
	// MirrorInterval is the shortest time between two reads of a device's log by its home node.
	MirrorInterval time.Duration `yaml:"mirror_interval"`
	// RecordValidity is how long a published service record is valid; it is published again at a third of it.
	RecordValidity time.Duration `yaml:"record_validity"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `yaml:"log_level"`
}

// DefaultPort is the mesh port of a node, TCP and UDP.
const DefaultPort = 7776

// Default returns the configuration that `edgeistry init` writes.
func Default() Config {
	return Config{
		Mesh:               "edgeistry",
		Listen:             []string{fmt.Sprintf("/ip4/0.0.0.0/tcp/%d", DefaultPort), fmt.Sprintf("/ip4/0.0.0.0/udp/%d/quic-v1", DefaultPort)},
		APIListen:          "127.0.0.1:7780",
		CoAPListen:         "127.0.0.1:5683",
		EnableMDNS:         true,
		EnableRelayService: true,
		MirrorInterval:     2 * time.Second,
		RecordValidity:     24 * time.Hour,
		LogLevel:           "info",
	}
}

var meshName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Limits of the durations in a Config.
const (
	MinMirrorInterval = 100 * time.Millisecond
	MaxMirrorInterval = time.Hour
	MinRecordValidity = 30 * time.Second
	MaxRecordValidity = 48 * time.Hour
)

// maxAddrs bounds each list of addresses in a Config.
const maxAddrs = 64

// Check returns what is wrong with a configuration, by the key's name.
func (c *Config) Check() error {
	if !meshName.MatchString(c.Mesh) {
		return fmt.Errorf("mesh: %.40q must be 1 to 63 of a-z 0-9 -, with a letter or digit first and last", c.Mesh)
	}
	if err := checkAddrs("listen", c.Listen, false); err != nil {
		return err
	}
	if err := checkAddrs("announce", c.Announce, false); err != nil {
		return err
	}
	if err := checkAddrs("seeds", c.Seeds, true); err != nil {
		return err
	}
	if err := checkAddrs("relays", c.Relays, true); err != nil {
		return err
	}
	api, err := netip.ParseAddrPort(c.APIListen)
	if err != nil {
		return fmt.Errorf("api_listen: %.60q is not ADDRESS:PORT, like 127.0.0.1:7780", c.APIListen)
	}
	if !api.Addr().IsLoopback() {
		return fmt.Errorf("api_listen: %s is not a loopback address; the API is for this machine only", c.APIListen)
	}
	if c.CoAPListen != "" {
		if _, err := netip.ParseAddrPort(c.CoAPListen); err != nil {
			return fmt.Errorf("coap_listen: %.60q is not ADDRESS:PORT, like 127.0.0.1:5683", c.CoAPListen)
		}
	}
	if c.MirrorInterval < MinMirrorInterval || c.MirrorInterval > MaxMirrorInterval {
		return fmt.Errorf("mirror_interval: %v is not within %v and %v", c.MirrorInterval, MinMirrorInterval, MaxMirrorInterval)
	}
	if c.RecordValidity < MinRecordValidity || c.RecordValidity > MaxRecordValidity {
		return fmt.Errorf("record_validity: %v is not within %v and %v", c.RecordValidity, MinRecordValidity, MaxRecordValidity)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return fmt.Errorf("log_level: %.20q is none of debug, info, warn, error", c.LogLevel)
	}
	if len(c.Listen) == 0 && len(c.Relays) == 0 && len(c.Seeds) == 0 && !c.EnableMDNS {
		return errors.New("listen: a node with no listening address needs relays or seeds")
	}
	return nil
}

func checkAddrs(key string, addrs []string, withPeer bool) error {
	if len(addrs) > maxAddrs {
		return fmt.Errorf("%s: %d addresses, at most %d", key, len(addrs), maxAddrs)
	}
	for _, a := range addrs {
		if withPeer {
			if _, err := peer.AddrInfoFromString(a); err != nil {
				return fmt.Errorf("%s: %.120q is not a multiaddr with a node ID, like /dns4/cloud.example/tcp/7776/p2p/ID", key, a)
			}
			continue
		}
		if _, err := multiaddr.NewMultiaddr(a); err != nil {
			return fmt.Errorf("%s: %.120q is not a multiaddr, like /ip4/0.0.0.0/tcp/7776", key, a)
		}
	}
	return nil
}

// SeedAddrs returns the seeds as libp2p's address records, one for each peer.
func (c *Config) SeedAddrs() []peer.AddrInfo { return addrInfos(c.Seeds) }

// RelayAddrs returns the relays as libp2p's address records; the seeds when none are named.
func (c *Config) RelayAddrs() []peer.AddrInfo {
	if len(c.Relays) == 0 {
		return addrInfos(c.Seeds)
	}
	return addrInfos(c.Relays)
}

// addrInfos reads addresses that Check has accepted.
func addrInfos(addrs []string) []peer.AddrInfo {
	var mas []multiaddr.Multiaddr
	for _, a := range addrs {
		if m, err := multiaddr.NewMultiaddr(a); err == nil {
			mas = append(mas, m)
		}
	}
	infos, err := peer.AddrInfosFromP2pAddrs(mas...)
	if err != nil {
		return nil
	}
	return infos
}

// Parse reads a config.yaml. Errors name the line and the key.
func Parse(data []byte) (Config, error) {
	c := Default()
	c.Mesh = "" // without one the file is damaged: a node must not join another mesh than its own
	if err := yamlfile.Decode(data, &c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, yamlfile.Explain(err, yamlfile.Keys(c))
	}
	if c.Mesh == "" {
		return Config{}, errors.New("the key mesh is missing")
	}
	if err := c.Check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Format returns the config.yaml text of c, with a comment for each key.
func (c *Config) Format() []byte {
	var b bytes.Buffer
	b.WriteString("# Edgeistry node. Unknown keys are errors; an absent key has its default.\n")
	str := func(comment, key, v string) { fmt.Fprintf(&b, "\n# %s\n%s: %q\n", comment, key, v) }
	list := func(comment, key string, v []string) {
		fmt.Fprintf(&b, "\n# %s\n%s:", comment, key)
		if len(v) == 0 {
			b.WriteString(" []\n")
			return
		}
		b.WriteString("\n")
		for _, a := range v {
			fmt.Fprintf(&b, "  - %q\n", a)
		}
	}
	other := func(comment, key string, v any) { fmt.Fprintf(&b, "\n# %s\n%s: %v\n", comment, key, v) }
	str("The name that all nodes of the mesh share.", "mesh", c.Mesh)
	list("Where to accept mesh connections; [] for none: the node is then reached through relays only.", "listen", c.Listen)
	list("Addresses to tell others besides those found, for a port that a router forwards.", "announce", c.Announce)
	list("Nodes to join the mesh by, /dns4/cloud.example/tcp/7776/p2p/12D3KooW...", "seeds", c.Seeds)
	list("Nodes to be relayed by when listen is []; [] for the seeds.", "relays", c.Relays)
	str("The HTTP API, loopback only.", "api_listen", c.APIListen)
	str(`The CoAP port (UDP); "" for none.`, "coap_listen", c.CoAPListen)
	other("Find nodes on the local network.", "enable_mdns", c.EnableMDNS)
	other("Relay for other nodes of the mesh (only with a listening address).", "enable_relay_service", c.EnableRelayService)
	other("The shortest time between two reads of a device's log.", "mirror_interval", c.MirrorInterval)
	other("How long a published record is valid; published again at a third of it.", "record_validity", c.RecordValidity)
	str("debug, info, warn or error.", "log_level", c.LogLevel)
	return b.Bytes()
}
