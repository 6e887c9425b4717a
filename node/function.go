package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/function"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/keychain"
)

// Deploy runs a function on every append to a log: of this node's own service, of a device that it is home to, or of any
// other service, whose log is then copied here under the given capability. Its outputs go into a log of this node's own service.
func (n *Node) Deploy(ctx context.Context, r api.DeployRequest) (*api.Function, error) {
	ctx, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	on, err := n.logID(r.On)
	if err != nil {
		return nil, err
	}
	own := n.state.Keys.Own().ID
	to := logstore.LogID{Service: own, Name: r.To}
	if r.To == "" {
		to.Name = r.Name
	}
	var with keychain.Chosen
	remote := on.Service != own && n.device(on.Service) == nil
	if remote {
		if with, err = n.choosePull(ctx, r.Capability, on.Service); err != nil {
			return nil, err
		}
	}
	begin, err := n.whereToBegin(ctx, on, with, r)
	if err != nil {
		return nil, err
	}
	spec := function.Spec{
		After: begin.after, AwaitHead: begin.await,
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
	f, err := n.function(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(r.Module)
	f.Hash = hex.EncodeToString(sum[:])
	return f, nil
}

// ChangeFunction pauses, resumes or removes a function, or lets it skip the entry that it failed on, and returns it as it is
// then; for remove, as it was.
func (n *Node) ChangeFunction(ctx context.Context, action string, r api.FunctionRequest) (*api.Function, error) {
	ctx, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	before, err := n.function(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	change, ok := map[string]func(context.Context, string) error{
		"pause": n.functions.Pause, "resume": n.functions.Resume, "skip": n.functions.Skip, "remove": n.functions.Remove,
	}[action]
	if !ok {
		return nil, api.Errorf(api.NotFound, "functions have no action %q", action)
	}
	if err := change(ctx, r.Name); err != nil {
		if errors.Is(err, function.ErrRunning) || errors.Is(err, function.ErrNotParked) {
			return nil, &api.Error{Kind: api.Usage, Message: err.Error(), Action: "edgeistry fn ls shows the state of each function"}
		}
		return nil, err
	}
	if action == "remove" {
		return before, n.endUnusedPulls(ctx)
	}
	return n.function(ctx, r.Name)
}

// function returns one deployed function.
func (n *Node) function(ctx context.Context, name string) (*api.Function, error) {
	list, err := n.Functions(ctx)
	if err != nil {
		return nil, err
	}
	for _, f := range list {
		if f.Name == name {
			return &f, nil
		}
	}
	return nil, &api.Error{Kind: api.NotFound, Message: fmt.Sprintf("no function is called %.40q here", name), Action: "use a name of edgeistry fn ls"}
}

// beginning is where a function begins with its log, where that is not the head that the log has in this store.
type beginning struct {
	after *edgeistry.Place
	await bool // nobody could say where the log stands: the function begins at the first head that is learned
}

// headTime bounds the question where a log stands when a function is deployed on it.
const headTime = 5 * time.Second

// whereToBegin finds out whether a log exists, and where it stands for those who answer for it: what is copied here later is no news for a
// function that is deployed now.
func (n *Node) whereToBegin(ctx context.Context, on logstore.LogID, with keychain.Chosen, r api.DeployRequest) (beginning, error) {
	if on.Service == n.state.Keys.Own().ID {
		if !n.store.Has(on) && !n.awaited(on) && !r.EvenIfMissing {
			return beginning{}, n.noLog(on, n.ownManifest().Logs)
		}
		return beginning{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, headTime)
	defer cancel()
	head, err := n.askHead(ctx, on, with)
	var denied *client.Denied
	gone := errors.As(err, &denied) && denied.ByDevice && denied.Reason == capability.ReasonNotFound
	logs, described := n.offered(on.Service)
	switch {
	case r.EvenIfMissing:
	case gone, err != nil && described && !hasLog(logs, on.Name) && !n.store.Has(on):
		return beginning{}, n.noLog(on, logs)
	}
	switch {
	case r.FromStart:
		return beginning{}, nil
	case err == nil:
		return beginning{after: &head.Place}, nil
	case gone:
		return beginning{after: &edgeistry.Place{}}, nil
	case denied != nil && denied.ByDevice && !denied.Passes():
		return beginning{}, &api.Error{Kind: api.Denied, Message: fmt.Sprintf("the log %s cannot be read: %v", n.logText(on), err), Action: "give a capability that reads it, with --cap"}
	}
	n.log.Info("a function waits until its log's home says where the log stands", "service", on.Service, "log", on.Name, "function", r.Name, "error", err)
	return beginning{await: true}, nil
}

// noLog says that a log does not exist, and which ones do.
func (n *Node) noLog(on logstore.LogID, have []edgeistry.LogInfo) error {
	var names []string
	for _, l := range have {
		names = append(names, l.Name)
	}
	e := &api.Error{
		Kind: api.NotFound, Message: fmt.Sprintf("%s has no log %q; it has: %s", n.nameOf(on.Service), on.Name, strings.Join(names, ", ")),
		Action: "correct the name, or deploy it with --even-if-missing if the log is still to come",
	}
	if len(names) == 0 {
		e.Message = fmt.Sprintf("%s has no log %q, nor any other", n.nameOf(on.Service), on.Name)
	}
	return e
}

// offered returns the logs that a service is known to offer; false: nothing is known of it.
func (n *Node) offered(id edgeistry.ServiceID) ([]edgeistry.LogInfo, bool) {
	if d := n.device(id); d != nil {
		return d.manifest().Logs, true
	}
	a, ok := n.registry.Known(id)
	return a.Record.Manifest.Logs, ok
}

// askHead asks who answers for a log where it stands: a device of this node, or the log's home under the capability to copy it.
func (n *Node) askHead(ctx context.Context, on logstore.LogID, with keychain.Chosen) (edgeistry.Head, error) {
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/l/" + on.Name); err != nil {
		return edgeistry.Head{}, err
	}
	var res *client.Result
	var err error
	if d := n.device(on.Service); d != nil {
		res, err = d.ask(ctx, m)
	} else {
		mirror := with.Header.Branch == capability.BranchMirror
		res, err = n.caller.Call(ctx, n.via(), with.Capability, client.Request{Message: m, Mirror: mirror})
	}
	if err != nil {
		return edgeistry.Head{}, err
	}
	return coap.DecodeHead(res.Response.Payload)
}

// beginFunctions tells the functions that wait for it where a log stands.
func (n *Node) beginFunctions(ctx context.Context, on logstore.LogID, with keychain.Chosen) error {
	if !n.functions.Awaits(on) {
		return nil
	}
	head, err := n.askHead(ctx, on, with)
	if err != nil {
		return err
	}
	return n.functions.Begin(on, head.Place)
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
func (n *Node) choosePull(ctx context.Context, given string, id edgeistry.ServiceID) (keychain.Chosen, error) {
	with, err := n.chain().Choose(given, id, true)
	if err == nil {
		return with, nil
	}
	if direct, derr := n.chain().Choose(given, id, false); derr == nil && direct.Header.Branch != capability.BranchMirror {
		if _, lerr := n.lookup(ctx, id); lerr != nil {
			return keychain.Chosen{}, lerr
		}
		if n.isNodeService(id) {
			return direct, nil
		}
	}
	return keychain.Chosen{}, err
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
		f.State, _, _ = strings.Cut(s.State, ":")
		n.mu.Lock()
		p := n.pulls[s.On]
		n.mu.Unlock()
		if p != nil {
			going := p.Status()
			f.PullState, f.PullFrom, f.PullFailed = string(going.State), going.From, going.Failed
			if going.Err != nil {
				f.PullProblem = n.problemOf(going.Err)
			}
		}
		out = append(out, f)
	}
	return out, ctx.Err()
}

// logText names a log for people: LOG of the node's own service, NAME/LOG or ID/LOG of another.
func (n *Node) logText(id logstore.LogID) string {
	if id.Service == n.state.Keys.Own().ID {
		return id.Name
	}
	return n.nameOf(id.Service) + "/" + id.Name
}
