package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/function"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
)

// Deploy runs a function on every append to a log: of this node's own service, of a device that it is home to, or of any
// other service, whose log is then copied here under the given capability. Its outputs go into a log of this node's own service.
func (n *Node) Deploy(ctx context.Context, r api.DeployRequest) (*api.Function, error) {
	on, err := n.logID(r.On)
	if err != nil {
		return nil, err
	}
	own := n.state.OwnService().ID
	to := logstore.LogID{Service: own, Name: r.To}
	if r.To == "" {
		to.Name = r.Name
	}
	var with chosen
	remote := on.Service != own && n.device(on.Service) == nil
	if remote {
		if with, err = n.choosePull(ctx, r.Capability, on.Service); err != nil {
			return nil, err
		}
	}
	spec := function.Spec{
		Name: r.Name, Module: r.Module, On: on, To: to, Timeout: time.Duration(r.TimeoutMS) * time.Millisecond,
		MemoryPages: uint32(max(r.MemoryPages, 0)), Window: r.Window, FromStart: r.FromStart,
	}
	if r.TimeoutMS < 0 || r.MemoryPages < 0 {
		return nil, api.Errorf(api.Usage, "timeout and memory must not be negative")
	}
	if err := n.functions.Deploy(ctx, spec); err != nil {
		if errors.Is(err, logstore.ErrStopped) || errors.Is(err, logstore.ErrClosed) || ctx.Err() != nil {
			return nil, err
		}
		return nil, api.Errorf(api.Usage, "%v", err)
	}
	if remote {
		if err := n.addPull(ctx, on, with.Capability); err != nil {
			return nil, err
		}
	}
	list, err := n.Functions(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(r.Module)
	for _, f := range list {
		if f.Name == r.Name {
			f.Hash = hex.EncodeToString(sum[:])
			return &f, nil
		}
	}
	return nil, api.Errorf(api.Failed, "function %q was removed meanwhile", r.Name)
}

// logID reads SERVICE/LOG, or LOG of the node's own service.
func (n *Node) logID(text string) (logstore.LogID, error) {
	service, name, ok := strings.Cut(text, "/")
	if !ok {
		service, name = "", text
	}
	if err := edgeistry.CheckName(name); err != nil {
		return logstore.LogID{}, api.Errorf(api.Usage, "log %.80q: %v; write SERVICE/LOG, or LOG of this node", text, err)
	}
	id, err := n.service(service)
	return logstore.LogID{Service: id, Name: name}, err
}

// choosePull finds the capability to copy a log of another node: one of the mirror branch, which home nodes can check; for a
// service that a node hosts itself any one that reads.
func (n *Node) choosePull(ctx context.Context, given string, id edgeistry.ServiceID) (chosen, error) {
	with, err := n.choose(given, id, true)
	if err == nil {
		return with, nil
	}
	if direct, derr := n.choose(given, id, false); derr == nil && direct.Header.Branch != capability.BranchMirror {
		if _, lerr := n.lookup(ctx, id); lerr != nil {
			return chosen{}, lerr
		}
		if n.isNodeService(id) {
			return direct, nil
		}
	}
	return chosen{}, err
}

// Functions lists the deployed functions.
func (n *Node) Functions(ctx context.Context) ([]api.Function, error) {
	var out []api.Function
	for _, s := range n.functions.List() {
		f := api.Function{
			Name: s.Name, On: n.logText(s.On), To: n.logText(s.To), Runs: s.Count, Outputs: s.Outputs, State: "running", Problem: s.LastError,
			Cursor: api.Head{Incarnation: s.Position.Incarnation, Sequence: s.Position.Sequence}, TimeoutMS: int(s.Timeout.Milliseconds()),
			MemoryPages: int(s.Pages), Window: s.Window, ModuleSize: s.ModuleSize,
		}
		if state, _, ok := strings.Cut(s.State, ":"); ok {
			f.State = state
		}
		n.mu.Lock()
		p := n.pulls[s.On]
		n.mu.Unlock()
		if p != nil {
			p.mu.Lock()
			f.PullState, f.PullFrom = p.state, p.from
			if p.problem != "" {
				f.Problem = strings.TrimPrefix(f.Problem+"; "+p.problem, "; ")
			}
			p.mu.Unlock()
		}
		out = append(out, f)
	}
	return out, ctx.Err()
}

// logText names a log for people: LOG of the node's own service, NAME/LOG or ID/LOG of another.
func (n *Node) logText(id logstore.LogID) string {
	if id.Service == n.state.OwnService().ID {
		return id.Name
	}
	return n.nameOf(id.Service) + "/" + id.Name
}
