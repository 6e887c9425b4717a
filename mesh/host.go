package mesh

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
)

// HostConfig configures a node's libp2p host.
type HostConfig struct {
	Key       crypto.PrivKey        // the node's identity
	Listen    []string              // multiaddrs; none: the node is reached through relays only
	Extra     func() []ma.Multiaddr // addresses to announce beside those of the listeners; may be nil
	Protocols []protocol.ID         // of this project: they get more streams than libp2p's default
	Version   string                // shown to other nodes as edgeistry/<version>
	HolePunch bool                  // try to turn relayed connections into direct ones, and tell others how they are seen
}

// Connections that the connection manager prunes between. It protects only the farthest buckets of the DHT's routing
// table, so a low mark would empty the rest: these are far above a mesh's size, and the resource manager bounds memory.
const (
	hostConnsLow   = 400
	hostConnsHigh  = 600
	hostConnsGrace = time.Minute
)

// Streams of one protocol of ours that a peer may have open. libp2p's default is 64 inbound.
const (
	hostStreamsPeer  = 512
	hostStreamsTotal = 4096
)

// NewHost starts a libp2p host. With port 0 in Listen the real ports stand in its Addrs.
//
// Transports are TCP (Noise, yamux) and QUIC v1. There is no network PSK, because it would exclude QUIC: records and
// capabilities are signed, and a relay admits members. There is no port mapping: opening a site's router is not for a
// program to decide. Relays are chosen by package relay, not by libp2p, which would look for public ones.
func NewHost(cfg HostConfig) (host.Host, error) {
	if cfg.Key == nil {
		return nil, errors.New("start host: no identity")
	}
	resources, err := hostResources(cfg.Protocols)
	if err != nil {
		return nil, fmt.Errorf("start host: %w", err)
	}
	conns, err := connmgr.NewConnManager(hostConnsLow, hostConnsHigh, connmgr.WithGracePeriod(hostConnsGrace))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start host: %w", err), resources.Close())
	}
	agent := "edgeistry"
	if cfg.Version != "" {
		agent += "/" + cfg.Version
	}
	opts := []libp2p.Option{
		libp2p.Identity(cfg.Key),
		libp2p.UserAgent(agent),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Transport(libp2pquic.NewTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(resources),
		libp2p.ConnectionManager(conns),
		libp2p.Ping(true),
		libp2p.DisableMetrics(), // the node has its own
	}
	if len(cfg.Listen) == 0 {
		opts = append(opts, libp2p.NoListenAddrs)
	} else {
		listen, err := hostListen(cfg.Listen)
		if err != nil {
			return nil, errors.Join(err, conns.Close(), resources.Close())
		}
		if err := probePorts(listen); err != nil {
			return nil, errors.Join(err, conns.Close(), resources.Close())
		}
		opts = append(opts, libp2p.ListenAddrs(listen...))
	}
	// After NoListenAddrs, which turns it off: the relay transport is the only way in then.
	opts = append(opts, libp2p.EnableRelay())
	if cfg.Extra != nil {
		// libp2p announces circuit addresses of public relays only. A mesh's relays may be on private addresses.
		opts = append(opts, libp2p.AddrsFactory(func(addrs []ma.Multiaddr) []ma.Multiaddr {
			return append(slices.Clone(addrs), cfg.Extra()...)
		}))
	}
	if cfg.HolePunch {
		opts = append(opts, libp2p.EnableHolePunching(), libp2p.EnableNATService())
	}
	h, err := libp2p.New(opts...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start host: %w", err), conns.Close(), resources.Close())
	}
	return h, nil
}

func hostListen(texts []string) ([]ma.Multiaddr, error) {
	addrs := make([]ma.Multiaddr, 0, len(texts))
	for _, text := range texts {
		a, err := ma.NewMultiaddr(text)
		if err != nil {
			return nil, fmt.Errorf("listen address %q: %w", text, err)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// hostPrivate4 and hostPrivate6 are the networks whose addresses many nodes share or change: sites, containers,
// overlay networks and carriers. libp2p exempts loopback alone, so that a test there never meets its limits.
var (
	hostPrivate4 = []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"}
	hostPrivate6 = []string{"::1/128", "fc00::/7", "fe80::/10"}
)

// Connections from one public address: a whole site stands behind it. libp2p's default is 8, and 1 new one in 5 s.
const (
	hostConnsSite   = 64
	hostDialsSite   = 4.0 // new ones a second
	hostDialsBurst  = 2 * hostConnsSite
	hostSitesInIPv6 = 8 // /56 sites in a /48
)

// hostResources bounds what peers can make the host hold. Memory is bounded as libp2p does, by an eighth of the
// machine's, which makes small boards refuse before they swap.
func hostResources(protocols []protocol.ID) (network.ResourceManager, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)

	// A seed of a large mesh, and all nodes of a site that come back at once.
	limits.SystemBaseLimit.ConnsInbound, limits.SystemBaseLimit.ConnsOutbound, limits.SystemBaseLimit.Conns = 768, 768, 1024
	limits.SystemBaseLimit.StreamsInbound, limits.SystemBaseLimit.StreamsOutbound, limits.SystemBaseLimit.Streams = 16384, 16384, 32768
	limits.TransientBaseLimit.ConnsInbound, limits.TransientBaseLimit.ConnsOutbound, limits.TransientBaseLimit.Conns = 256, 256, 512
	limits.TransientBaseLimit.StreamsInbound, limits.TransientBaseLimit.StreamsOutbound, limits.TransientBaseLimit.Streams = 512, 512, 1024
	limits.PeerBaseLimit.StreamsInbound, limits.PeerBaseLimit.StreamsOutbound, limits.PeerBaseLimit.Streams = 1024, 1024, 2048
	for _, id := range protocols {
		limits.AddProtocolLimit(id, rcmgr.BaseLimit{
			StreamsInbound: hostStreamsTotal, StreamsOutbound: hostStreamsTotal, Streams: 2 * hostStreamsTotal, Memory: 64 << 20,
		}, rcmgr.BaseLimitIncrease{Memory: 256 << 20})
		limits.AddProtocolPeerLimit(id, rcmgr.BaseLimit{
			StreamsInbound: hostStreamsPeer, StreamsOutbound: hostStreamsPeer, Streams: 2 * hostStreamsPeer, Memory: 32 << 20,
		}, rcmgr.BaseLimitIncrease{Memory: 64 << 20})
	}
	// A circuit through the relay service is two streams, and the service's own limits are the ones people see.
	limits.AddServiceLimit(circuit.ServiceName, rcmgr.BaseLimit{
		StreamsInbound: hostStreamsTotal, StreamsOutbound: hostStreamsTotal, Streams: 2 * hostStreamsTotal, Memory: 64 << 20,
	}, rcmgr.BaseLimitIncrease{Memory: 64 << 20})
	limits.AddServicePeerLimit(circuit.ServiceName, rcmgr.BaseLimit{
		StreamsInbound: hostStreamsPeer, StreamsOutbound: hostStreamsPeer, Streams: 2 * hostStreamsPeer, Memory: 8 << 20,
	}, rcmgr.BaseLimitIncrease{})

	var counts4, counts6 []rcmgr.NetworkPrefixLimit
	var rates []rate.PrefixLimit
	for _, text := range hostPrivate4 {
		counts4 = append(counts4, rcmgr.NetworkPrefixLimit{Network: netip.MustParsePrefix(text), ConnCount: math.MaxInt})
		rates = append(rates, rate.PrefixLimit{Prefix: netip.MustParsePrefix(text)}) // no rate: no limit
	}
	for _, text := range hostPrivate6 {
		counts6 = append(counts6, rcmgr.NetworkPrefixLimit{Network: netip.MustParsePrefix(text), ConnCount: math.MaxInt})
		rates = append(rates, rate.PrefixLimit{Prefix: netip.MustParsePrefix(text)})
	}
	site := rate.Limit{RPS: hostDialsSite, Burst: hostDialsBurst}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits.AutoScale()),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithNetworkPrefixLimit(counts4, counts6),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: hostConnsSite}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: hostConnsSite}, {PrefixLength: 48, ConnCount: hostSitesInIPv6 * hostConnsSite}},
		),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: rates,
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: site}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: site}},
				GracePeriod:      time.Minute,
			},
		}),
	)
}
