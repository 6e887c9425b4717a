package node

import (
	"context"
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/mesh"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/relay"
)

// Status returns the node's state. What it says is measured, not remembered: a peer is listed while it is connected, a relay while
// its reservation holds, a service is reachable if it answered last time.
func (n *Node) Status(ctx context.Context) (*api.Status, error) {
	own := n.state.Keys.Own().ID
	s := &api.Status{
		Node: n.host.ID().String(), Mesh: n.cfg.Mesh, Version: n.version, Home: n.state.Dir(), PID: os.Getpid(),
		API: "http://" + n.http.Address(), Service: own.String(),
		Ready: n.NotReady() == "" && n.readyMS.Load() > 0, InMesh: n.NotInMesh() == "", Standing: n.standing(), Addrs: mesh.Addrs(n.host), Relay: n.relayStatus(),
		Peers: n.peers(), Seeds: n.seedStates(), Functions: len(n.functions.List()), Started: n.started, ReadyMS: float64(n.readyMS.Load()) / 1000,
	}
	if !s.InMesh {
		s.MeshProblem = n.NotInMesh()
	}
	if twin, ok := n.registry.Twin(); ok {
		s.Twin = &api.Twin{Since: twin.Since, Seen: twin.Seen, Addrs: []string{}}
		for _, a := range twin.Addrs {
			s.Twin.Addrs = append(s.Twin.Addrs, a.String())
		}
	}
	if n.mesh != nil {
		s.Streams = api.Streams(n.mesh.Counts())
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
	if r.Count < 0 || r.Count > maxPings {
		return nil, api.Errorf(api.Usage, "count must be 1 to %d", maxPings)
	}
	count := max(r.Count, 1)
	out := &api.PingResult{}
	var service edgeistry.ServiceID
	target, err := peer.Decode(r.Target)
	if err != nil || strings.HasPrefix(r.Target, "k") {
		id, err := n.service(r.Target)
		if err != nil {
			return nil, err
		}
		out.Service, service = id.String(), id
		if target, err = n.connectHome(ctx, id); err != nil {
			return nil, err
		}
	} else if err := n.connect(ctx, peer.AddrInfo{ID: target}); err != nil {
		return nil, err
	}
	out.Peer = target.String()
	if target == n.host.ID() {
		out.Conn = "this node"
		return out, n.pingService(ctx, service, out)
	}
	all, err := mesh.Ping(ctx, n.host, target, count)
	if err != nil {
		return nil, err
	}
	for _, rtt := range all {
		out.All = append(out.All, ms(rtt))
	}
	out.RTTMS = slices.Min(out.All)
	c := relay.Describe(n.host, target)
	out.Conn, out.Addr = c.String(), addrText(c.Addr)
	if c.Kind == relay.Relayed {
		out.Via = c.Via.String()
	}
	return out, n.pingService(ctx, service, out)
}

// pingService asks the service itself: a hello, which a device answers without a session, and which no node on the way answers for it.
func (n *Node) pingService(ctx context.Context, id edgeistry.ServiceID, out *api.PingResult) error {
	if out.Service == "" || id == n.state.Keys.Own().ID {
		return nil
	}
	hello := make([]byte, 20) // nonce (8) | header (12), docs/spec/capability.md
	if _, err := rand.Read(hello[:8]); err != nil {
		return err
	}
	hello[8] = 1 << 4 // version
	hint := id.Hint()
	copy(hello[9:], hint[:])
	m := &coap.Message{Code: coap.CodePOST, Payload: hello}
	if err := m.SetPath("/h"); err != nil {
		return err
	}
	began := time.Now()
	res, err := n.callPlain(ctx, n.targetOf(id), m, false)
	switch {
	case err != nil:
		out.ServiceProblem = n.problemOf(err)
	case !res.OK() && strings.HasPrefix(res.Code, "5."):
		out.ServiceProblem = res.Message
	default:
		out.ServiceMS = ms(time.Since(began))
	}
	return nil
}

// connect makes sure that there is a connection to a node, a relayed one too.
func (n *Node) connect(ctx context.Context, info peer.AddrInfo) error {
	return mesh.Connect(ctx, n.host, info, n.registry.FindPeer)
}

// connectHome connects to the first home of a service that can be reached.
func (n *Node) connectHome(ctx context.Context, id edgeistry.ServiceID) (peer.ID, error) {
	if n.device(id) != nil || id == n.state.Keys.Own().ID {
		return n.host.ID(), nil
	}
	a, err := n.lookup(ctx, id)
	if err != nil {
		return "", err
	}
	failed := &api.Error{Kind: api.NotFound, Message: "no home of " + n.nameOf(id) + " can be reached"}
	for _, h := range n.mesh.Order(a.Record.Homes) {
		if err := n.connect(ctx, h); err != nil {
			failed.Tried = append(failed.Tried, n.problemOf(err))
			continue
		}
		return h.ID, nil
	}
	return "", failed
}

// notNil makes an empty list an empty JSON array.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
