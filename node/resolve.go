package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/dht"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/mesh"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/keychain"
	"github.com/edgeistry/edgeistry/proxy"
	"github.com/edgeistry/edgeistry/relay"
)

// lookupTime bounds the search for a record, so that time is left for the request itself.
const lookupTime = 10 * time.Second

// recordFresh is how long a record is used after the mesh gave it, before the mesh is asked again.
const recordFresh = time.Minute

// failure takes what went wrong on the way of one of this node's own requests. Others get a status code and no more; who
// sits at this node is told what was tried.
type failure struct {
	mu  sync.Mutex
	err error
}

type failureKey struct{}

// note keeps err for the caller of this node that waits, if one does.
func note(ctx context.Context, err error) {
	if f, ok := ctx.Value(failureKey{}).(*failure); ok {
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
	}
}

// via is the way of this node's own requests: through its proxy, like everybody's. A request that found no way to its
// service gives the error of the way.
func (n *Node) via() coap.Doer {
	local := n.proxy.Local()
	return coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		f := &failure{}
		resp, err := local.Do(context.WithValue(ctx, failureKey{}, f), req)
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.err != nil && !resp.Success() {
			return nil, f.err
		}
		return resp, nil
	})
}

// lookup finds a service's record.
func (n *Node) lookup(ctx context.Context, id edgeistry.ServiceID) (dht.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	a, err := n.registry.Lookup(ctx, id)
	if err != nil && n.publishOwn(ctx, id) {
		a, err = n.registry.Lookup(ctx, id)
	}
	if err == nil {
		return a, nil
	}
	peers := len(n.registry.Peers())
	e := &api.Error{Kind: api.NotFound, Message: "no record of " + n.nameOf(id) + " in mesh " + n.cfg.Mesh}
	switch {
	case errors.Is(err, dht.ErrExpired):
		e.Message = "the record of " + n.nameOf(id) + " has expired: its home nodes have not been seen for long"
	case errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Message = api.Timeout, fmt.Sprintf("the mesh did not find %s within %v", n.nameOf(id), lookupTime)
	case !errors.Is(err, dht.ErrNotFound):
		return dht.Answer{}, err
	}
	e.Tried = []string{fmt.Sprintf("the registry of mesh %s, %d nodes connected", n.cfg.Mesh, peers)}
	e.Action = "check the ID, and edgeistry status at the service's home node"
	if peers == 0 {
		e.Action = "this node is connected to no other: edgeistry status"
	}
	return dht.Answer{}, e
}

// publishOwn publishes the record of a service that this node speaks for: just after a start it may be asked for before the publisher
// has come to it.
func (n *Node) publishOwn(ctx context.Context, id edgeistry.ServiceID) bool {
	keys, _ := n.publishedKeys() // what cannot be read is reported by the publisher
	for _, k := range keys {
		if k.ID == id {
			_, err := n.publish(ctx, k)
			return err == nil
		}
	}
	return false
}

// wayTo is proxy.Config.Resolve: the way to the home nodes of a service that is not here. A record seen a moment ago is used
// without asking the mesh again; if it leads nowhere the mesh is asked.
func (n *Node) wayTo(ctx context.Context, id edgeistry.ServiceID) (coap.Doer, error) {
	if a, ok := n.registry.Known(id); ok && a.Record.Valid(time.Now()) == nil && time.Since(a.Seen) < recordFresh {
		return coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
			resp, err := n.mesh.Do(ctx, a.Record.Homes, req)
			var lost *mesh.HomesError
			if err == nil || !errors.As(err, &lost) {
				return resp, err
			}
			newer, lerr := n.lookup(ctx, id)
			if lerr == nil && newer.Record.Sequence > a.Record.Sequence {
				resp, err = n.mesh.Do(ctx, newer.Record.Homes, req)
			}
			if err != nil {
				note(ctx, err)
			}
			return resp, err
		}), nil
	}
	a, err := n.lookup(ctx, id)
	if err != nil {
		note(ctx, err)
		return nil, fmt.Errorf("%w: %w", proxy.ErrNotFound, err)
	}
	return coap.DoerFunc(func(ctx context.Context, req *coap.Message) (*coap.Message, error) {
		resp, err := n.mesh.Do(ctx, a.Record.Homes, req)
		if err != nil {
			note(ctx, err)
		}
		return resp, err
	}), nil
}

// Resolve says who speaks for a service, and how this node reaches them.
func (n *Node) Resolve(ctx context.Context, nameOrID string) (*api.Resolution, error) {
	t, err := n.target(nameOrID)
	if err != nil {
		return nil, err
	}
	return n.resolve(ctx, t.id)
}

func (n *Node) resolve(ctx context.Context, id edgeistry.ServiceID) (*api.Resolution, error) {
	began := time.Now()
	a, err := n.lookup(ctx, id)
	if err != nil {
		return nil, err
	}
	r := &api.Resolution{
		Service: id.String(), Name: n.state.Names.Of(id), Sequence: a.Record.Sequence, NotBefore: a.Record.NotBefore,
		Expiry: a.Record.Expiry, Manifest: a.Record.Manifest, From: string(a.From), TookMS: ms(time.Since(began)),
		Homes: make([]api.Home, len(a.Record.Homes)),
	}
	var wg sync.WaitGroup
	for i, h := range a.Record.Homes {
		wg.Go(func() { r.Homes[i] = n.lookAt(ctx, h) })
	}
	wg.Wait()
	return r, nil
}

// lookAt tries to reach a home and measures the way.
func (n *Node) lookAt(ctx context.Context, h peer.AddrInfo) api.Home {
	out := api.Home{Peer: h.ID.String(), Self: h.ID == n.host.ID()}
	for _, a := range h.Addrs {
		out.Addrs = append(out.Addrs, a.String())
	}
	if out.Self {
		out.Conn = "this node"
		return out
	}
	if err := n.connect(ctx, h); err != nil {
		out.Conn, out.Error = "not connected", n.problemOf(err)
		return out
	}
	if all, err := mesh.Ping(ctx, n.host, h.ID, 1); err != nil {
		out.Error = n.problemOf(err)
	} else {
		out.RTTMS = ms(all[0])
	}
	out.Conn = relay.Describe(n.host, h.ID).String()
	return out
}

// Show resolves a service and asks it for the heads of its logs.
func (n *Node) Show(ctx context.Context, nameOrID string) (*api.ServiceDetail, error) {
	t, err := n.target(nameOrID)
	if err != nil {
		return nil, err
	}
	id := t.id
	res, err := n.resolve(ctx, id)
	if err != nil {
		return nil, err
	}
	out := &api.ServiceDetail{Resolution: *res, AwakeAlways: true, Logs: []api.LogDetail{}, Revocations: n.waiting(id)}
	if id == n.state.Keys.Own().ID {
		out.Manifest = n.ownManifest() // with the logs made since it was published
	} else if d := n.device(id); d != nil {
		out.Manifest = d.manifest()
	}
	for _, l := range out.Manifest.Logs {
		out.Logs = append(out.Logs, api.LogDetail{LogInfo: l})
	}
	away := ""
	if d := n.device(id); d != nil {
		away = d.awayText()
	}
	with, err := n.chain().Choose("", id, false)
	if err != nil && away == "" {
		return out, n.greet(ctx, t, out)
	}
	if away != "" { // its home asks it again all the time
		out.Problem = away
		n.showCopies(ctx, id, out)
	}
	if err != nil {
		return out, nil
	}
	out.Capability = with.Name
	if out.Manifest.Board != "" && out.Manifest.Board != nodeBoard {
		out.DeviceLine = deviceLine(out.Manifest.Board, with.Capability)
	}
	if away != "" {
		return out, nil
	}
	if len(out.Logs) == 0 {
		return out, n.greet(ctx, t, out)
	}
	for i := range out.Logs {
		if out.Problem != "" { // it did not answer for the log before
			out.Logs[i].Error = out.Problem
			continue
		}
		n.showHead(ctx, out, &out.Logs[i], with)
	}
	return out, nil
}

// showCopies fills in the heads of the copies of a device's logs.
func (n *Node) showCopies(ctx context.Context, id edgeistry.ServiceID, out *api.ServiceDetail) {
	for i := range out.Logs {
		log, err := n.store.Log(ctx, logstore.LogID{Service: id, Name: out.Logs[i].Name})
		if err != nil {
			out.Logs[i].Error = err.Error()
			continue
		}
		head := api.HeadOf(log.Head())
		out.Logs[i].Head, out.Logs[i].Copy = &head, true
	}
}

// greet finds out whether a service answers when there is nothing to read: by what it tells everybody.
func (n *Node) greet(ctx context.Context, t target, out *api.ServiceDetail) error {
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/.well-known/core"); err != nil {
		return err
	}
	began := time.Now()
	res, err := n.callPlain(ctx, t, m, false)
	switch {
	case err != nil:
		out.Problem = n.problemOf(err)
	case !res.OK():
		out.Problem = res.Message
	default:
		out.Reachable, out.RTTMS = true, ms(time.Since(began))
	}
	return nil
}

// showHead asks for one log's head.
func (n *Node) showHead(ctx context.Context, out *api.ServiceDetail, l *api.LogDetail, with keychain.Chosen) {
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/l/" + l.Name); err != nil {
		l.Error = n.problemOf(err)
		return
	}
	res, err := n.caller.Call(ctx, n.via(), with.Capability, client.Request{Message: m})
	var denied *client.Denied
	if errors.As(err, &denied) && denied.ByDevice {
		out.Reachable = true // it answers, even if not what was asked
	}
	if err != nil {
		l.Error = n.problemOf(err)
		if !out.Reachable {
			out.Problem = l.Error
		}
		return
	}
	h, err := coap.DecodeHead(res.Response.Payload)
	if err != nil {
		l.Error = n.problemOf(err)
		return
	}
	head := api.HeadOf(h)
	l.Head = &head
	out.Reachable, out.Problem = true, ""
	if took := ms(res.Took); out.RTTMS == 0 || took < out.RTTMS {
		out.RTTMS = took
	}
}

// deviceLine returns what a capability costs on a board whose costs are known.
func deviceLine(board string, c *capability.Capability) string {
	if !strings.HasPrefix(board, "ATmega") {
		return board
	}
	k := c.Cost()
	return fmt.Sprintf("%s; opening a session about %d ms, a request then %d ms", board,
		k.OpenTime().Milliseconds(), k.RequestTime().Milliseconds())
}

// Services lists the services that this node knows.
func (n *Node) Services(ctx context.Context) ([]api.Service, error) {
	caps := make(map[edgeistry.ServiceID][]string)
	entries, _ := n.state.Keychain.All() // a damaged one shows when it is used, and in edgeistry doctor
	for _, e := range entries {
		caps[e.Capability.Service] = append(caps[e.Capability.Service], e.Name)
	}
	yes := true
	own := n.state.Keys.Own().ID
	out := []api.Service{{Service: own.String(), Name: n.state.Names.Of(own), Kind: "node", Board: nodeBoard, Reachable: &yes, Capabilities: caps[own]}}
	listed := map[edgeistry.ServiceID]bool{own: true}
	for _, d := range n.deviceList() {
		listed[d.Service] = true
		s := d.describe()
		out = append(out, api.Service{
			Service: s.Service, Name: s.Name, Kind: "device", Link: s.Link, Board: s.Board, Firmware: s.Firmware,
			Reachable: &s.Reachable, Problem: s.Problem, Cause: s.Cause, Capabilities: caps[d.Service],
		})
	}
	names, _ := n.state.Names.All()
	var remote []edgeistry.ServiceID
	for _, id := range names {
		if !listed[id] {
			listed[id] = true
			remote = append(remote, id)
		}
	}
	for id := range caps {
		if !listed[id] {
			listed[id] = true
			remote = append(remote, id)
		}
	}
	slices.SortFunc(remote, func(a, b edgeistry.ServiceID) int {
		return strings.Compare(n.state.Names.Of(a)+a.String(), n.state.Names.Of(b)+b.String())
	})
	for _, id := range remote {
		s := api.Service{Service: id.String(), Name: n.state.Names.Of(id), Kind: "remote", Capabilities: caps[id]}
		if a, ok := n.registry.Known(id); ok {
			s.Board, s.Firmware = a.Record.Manifest.Board, a.Record.Manifest.Firmware
		}
		out = append(out, s)
	}
	return out, ctx.Err()
}

// ownManifest returns what the node's own service offers: its logs.
func (n *Node) ownManifest() edgeistry.Manifest {
	m := edgeistry.Manifest{Board: nodeBoard, Firmware: "edgeistry"}
	if n.version != "" {
		m.Firmware += "/" + n.version
	}
	m.Firmware = m.Firmware[:min(len(m.Firmware), dht.MaxText)]
	own := n.state.Keys.Own().ID
	ids, err := n.store.Logs(n.ctx)
	if err != nil {
		return m
	}
	for _, id := range ids {
		if id.Service == own && len(m.Logs) < coap.MaxLinks-1 {
			m.Logs = append(m.Logs, edgeistry.LogInfo{Name: id.Name})
		}
	}
	return m
}

// logOf opens a log of the store.
func (n *Node) logOf(ctx context.Context, service edgeistry.ServiceID, name string) (*logstore.Log, error) {
	if err := edgeistry.CheckName(name); err != nil {
		return nil, api.Errorf(api.Usage, "%v", err)
	}
	return n.store.Log(ctx, logstore.LogID{Service: service, Name: name})
}
