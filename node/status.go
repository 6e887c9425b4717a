package node

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/relay"
)

// Status gives the node's state. What it says is measured, not remembered: a peer is listed while it is connected, a relay while
// its reservation holds, a service is reachable if it answered last time.
func (n *Node) Status(ctx context.Context) (*api.Status, error) {
	own := n.state.OwnService().ID
	s := &api.Status{
		Node: n.host.ID().String(), Mesh: n.cfg.Mesh, Version: n.version, Home: n.state.Dir(), PID: os.Getpid(),
		API: "http://" + n.http.address(), Service: own.String(),
		Ready: n.NotReady() == "" && n.readyMS.Load() > 0, InMesh: n.NotInMesh() == "", Standing: n.standing(), Addrs: n.fullAddrs(), Relay: n.relayStatus(),
		Peers: n.peers(), Seeds: n.seedStates(), Functions: len(n.functions.List()), Started: n.started, ReadyMS: float64(n.readyMS.Load()) / 1000,
	}
	if !s.InMesh {
		s.MeshProblem = n.NotInMesh()
	}
	if n.port != nil {
		s.CoAP = n.port.Addr().String()
	}
	services, err := n.Services(ctx)
	if err != nil {
		return nil, err
	}
	s.Services = notNil(services)
	return s, nil
}

// fullAddrs gives the addresses that others reach the node at, each ending with its ID.
func (n *Node) fullAddrs() []string {
	out := []string{}
	for _, a := range n.host.Addrs() {
		out = append(out, a.String()+"/p2p/"+n.host.ID().String())
	}
	return out
}

func (n *Node) relayStatus() api.Relay {
	r := api.Relay{State: "unreachable", Text: "no listening address and no relay", Serving: n.relaying != nil}
	if len(n.cfg.Listen) > 0 {
		r.State, r.Text = "listening", "listening"
	}
	if n.relaying != nil {
		r.Limits = n.relaying.Limits().String()
	}
	c := n.relayed.Load()
	if c == nil {
		return r
	}
	st := c.Status()
	for _, one := range st.Relays {
		if one.State == relay.Reserved {
			r.Through = append(r.Through, one.Relay.String())
		}
	}
	switch {
	case r.State != "listening":
		r.Text = st.String()
		if len(r.Through) > 0 {
			r.State = "relayed"
		}
	case len(r.Through) > 0:
		r.Text = "listening, and " + st.String()
	}
	return r
}

// peers lists the connected nodes of the mesh.
func (n *Node) peers() []api.Peer {
	out := []api.Peer{}
	for _, p := range n.registry.Peers() {
		c := relay.Describe(n.host, p)
		if c.Kind == relay.None {
			continue
		}
		out = append(out, api.Peer{ID: p.String(), Addr: addrText(c.Addr), Conn: c.String(), RTTMS: ms(n.host.Peerstore().LatencyEWMA(p))})
	}
	slices.SortFunc(out, func(a, b api.Peer) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func addrText(a ma.Multiaddr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// maxPings bounds one ping request.
const maxPings = 20

// Ping measures the way to a node, named by its ID or by a service that it is home to.
func (n *Node) Ping(ctx context.Context, r api.PingRequest) (*api.PingResult, error) {
	count := min(max(r.Count, 1), maxPings)
	out := &api.PingResult{}
	target, err := peer.Decode(r.Target)
	if err != nil || strings.HasPrefix(r.Target, "k") {
		id, err := n.service(r.Target)
		if err != nil {
			return nil, err
		}
		out.Service = id.String()
		if target, err = n.connectHome(ctx, id); err != nil {
			return nil, err
		}
	} else if err := n.connect(ctx, peer.AddrInfo{ID: target}); err != nil {
		return nil, err
	}
	out.Peer = target.String()
	if target == n.host.ID() {
		out.Conn = "this node"
		return out, nil
	}
	if out.All, err = pings(ctx, n.host, target, count); err != nil {
		return nil, err
	}
	out.RTTMS = slices.Min(out.All)
	c := relay.Describe(n.host, target)
	out.Conn, out.Addr = c.String(), addrText(c.Addr)
	if c.Kind == relay.Relayed {
		out.Via = c.Via.String()
	}
	return out, nil
}

func pings(ctx context.Context, h host.Host, p peer.ID, count int) ([]float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all []float64
	for r := range ping.Ping(ctx, h, p) {
		if r.Error != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, api.Errorf(api.NotFound, "%s does not answer: %v", p, shortDialError(r.Error))
		}
		if all = append(all, ms(r.RTT)); len(all) == count {
			return all, nil
		}
	}
	return nil, api.Errorf(api.Timeout, "%s did not answer in time", p)
}

// connect makes sure that there is a connection to a node, a relayed one too.
func (n *Node) connect(ctx context.Context, info peer.AddrInfo) error {
	if info.ID == n.host.ID() || relay.Describe(n.host, info.ID).Kind != relay.None {
		return nil
	}
	ctx, cancel := context.WithTimeout(network.WithAllowLimitedConn(ctx, "ping"), dialTimeout)
	defer cancel()
	if len(info.Addrs) == 0 && len(n.host.Peerstore().Addrs(info.ID)) == 0 {
		found, err := n.registry.FindPeer(ctx, info.ID)
		if err != nil {
			return &api.Error{Kind: api.NotFound, Message: "node " + info.ID.String() + " is not known in mesh " + n.cfg.Mesh, Action: "edgeistry status on that node"}
		}
		info.Addrs = found.Addrs
	}
	if err := n.host.Connect(ctx, info); err != nil {
		return api.Errorf(api.NotFound, "node %s is not reachable: %v", info.ID, shortDialError(err))
	}
	return nil
}

// connectHome connects to the first home of a service that can be reached.
func (n *Node) connectHome(ctx context.Context, id edgeistry.ServiceID) (peer.ID, error) {
	if n.device(id) != nil || id == n.state.OwnService().ID {
		return n.host.ID(), nil
	}
	a, err := n.lookup(ctx, id)
	if err != nil {
		return "", err
	}
	failed := &api.Error{Kind: api.NotFound, Message: "no home of " + n.nameOf(id) + " can be reached"}
	for _, h := range n.mesh.order(a.Record.Homes) {
		if err := n.connect(ctx, h); err != nil {
			failed.Tried = append(failed.Tried, problemOf(err))
			continue
		}
		return h.ID, nil
	}
	return "", failed
}
