package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/capability/phrase"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// chosen is a capability and what the keychain calls it, with what else proves a request.
type chosen struct {
	*capability.Capability
	name       string
	also       []*capability.Capability
	discharges []*capability.Discharge
	private    bool
}

// request gives what the caller sends to prove m by all of it.
func (w *chosen) request(m *coap.Message, mirror bool) client.Request {
	return client.Request{Message: m, Mirror: mirror, Also: w.also, Discharges: w.discharges, Private: w.private}
}

// prove finds everything that is to prove a request.
func (n *Node) prove(given string, with api.Proof, id edgeistry.ServiceID, mirror bool) (chosen, error) {
	out, err := n.choose(given, id, mirror)
	if err != nil {
		return out, err
	}
	if len(with.Also) >= capability.MaxParts {
		return out, api.Errorf(api.Usage, "%d capabilities: at most %d prove a request together", 1+len(with.Also), capability.MaxParts)
	}
	for _, text := range with.Also {
		if text == "" {
			return out, api.Errorf(api.Usage, "also has an empty text: name each capability")
		}
		c, err := n.choose(text, id, mirror)
		if err != nil {
			return out, err
		}
		out.also = append(out.also, c.Capability)
	}
	for _, text := range with.Discharges {
		d, err := capability.ParseDischarge(text)
		if err != nil {
			return out, api.Errorf(api.Usage, "the discharge cannot be read: %v", err)
		}
		out.discharges = append(out.discharges, d)
	}
	out.private = with.Private
	return out, nil
}

// choose finds the capability for a request: given as text, by its keychain name, or the best match in the keychain: the owner's
// if there is one, else the first in order of name. For a mirror it must be of the mirror branch, else it must not be.
func (n *Node) choose(given string, id edgeistry.ServiceID, mirror bool) (chosen, error) {
	if strings.HasPrefix(given, "ecap1_") {
		c, err := capability.Parse(given)
		if err != nil {
			return chosen{}, api.Errorf(api.Usage, "the capability cannot be read: %v", err)
		}
		return n.fitting(chosen{Capability: c, name: "(given)"}, id, mirror)
	}
	if given != "" {
		c, err := n.state.Keychain.Get(given)
		if err != nil {
			if errors.Is(err, state.ErrNotFound) {
				return chosen{}, &api.Error{Kind: api.NotFound, Message: err.Error(), Action: "give an ecap1_ text, or one of the names of edgeistry cap ls"}
			}
			return chosen{}, api.Errorf(api.Usage, "%v", err)
		}
		return n.fitting(chosen{Capability: c, name: given}, id, mirror)
	}
	entries, bad := n.state.Keychain.All()
	var best chosen
	var over []string
	for _, e := range entries {
		c := half(e.Capability, mirror)
		if c == nil || c.Service != id {
			continue
		}
		if why := n.state.Ended(c); why != "" {
			over = append(over, e.Name+" ("+why+")")
			continue
		}
		if best.Capability == nil || wider(c, best.Capability) {
			best = chosen{Capability: c, name: e.Name}
		}
	}
	if best.Capability == nil {
		what, action := "", "edgeistry cap import, or --cap with an ecap1_ text"
		if mirror {
			what, action = " of the mirror branch", "edgeistry cap mint --mirror at the service's owner"
		}
		e := &api.Error{Kind: api.Denied, Message: fmt.Sprintf("no capability%s for %s in the keychain", what, n.nameOf(id)), Action: action}
		if known, err := n.state.Revocations.Get(id); err == nil {
			if next, waits := known.Epoch(); waits {
				return chosen{}, &api.Error{
					Kind: api.Denied, Message: fmt.Sprintf("epoch %d of %s is over, and the service has not confirmed the next", next.Epoch-1, n.nameOf(id)), Action: "edgeistry cap revocations, and the same again once it says done",
				}
			}
		}
		if len(over) > 0 {
			e.Message += " that is not over: " + strings.Join(over, ", ")
		}
		if bad != nil {
			e.Message += "; " + bad.Error()
		}
		return chosen{}, e
	}
	return best, nil
}

// half gives what of a capability is for the mirror, or for the service itself; nil: nothing.
func half(c *capability.Capability, mirror bool) *capability.Capability {
	switch {
	case (c.Header.Branch == capability.BranchMirror) == mirror:
		return c
	case mirror:
		return c.Mirror()
	}
	return nil
}

// wider guesses which of two capabilities for a service allows more: the owner's branch first, then the one that was narrowed fewer times.
func wider(a, b *capability.Capability) bool {
	if owner := a.Header.Branch == capability.BranchOwner; owner != (b.Header.Branch == capability.BranchOwner) {
		return owner
	}
	return len(a.Frames) < len(b.Frames)
}

// fitting checks that a capability is for this service and way.
func (n *Node) fitting(c chosen, id edgeistry.ServiceID, mirror bool) (chosen, error) {
	if c.Service != id {
		return chosen{}, api.Errorf(api.Usage, "the capability is for %s, not for %s", n.nameOf(c.Service), n.nameOf(id))
	}
	if mirror {
		if c.Capability = half(c.Capability, true); c.Capability == nil {
			return chosen{}, &api.Error{Kind: api.Usage, Message: "the capability is not of the mirror branch and has no mirror half, so a home node cannot check it", Action: "edgeistry cap mint, which makes pairs, or edgeistry cap mint --mirror"}
		}
	}
	return c, nil
}

// nameOf gives a service's local name, or its ID.
func (n *Node) nameOf(id edgeistry.ServiceID) string {
	if name := n.state.Names.Of(id); name != "" {
		return name
	}
	return id.String()
}

// service reads a service ID or local name from a request.
func (n *Node) service(nameOrID string) (edgeistry.ServiceID, error) {
	if nameOrID == "" {
		return n.state.Keys.Own().ID, nil
	}
	id, err := n.state.Names.Service(nameOrID)
	switch {
	case err == nil:
		return id, nil
	case errors.Is(err, state.ErrNotFound):
		return id, &api.Error{Kind: api.NotFound, Message: fmt.Sprintf("no service is called %q here", nameOrID), Action: "use its ID (k51...), or a name of edgeistry service ls"}
	default:
		return id, api.Errorf(api.Usage, "%v", err)
	}
}

// methods are those the API takes.
var methods = map[string]uint8{"GET": coap.CodeGET, "POST": coap.CodePOST}

// Call sends one request to a service and gives its answer, whatever it says.
func (n *Node) Call(ctx context.Context, r api.CallRequest) (*api.CallResult, error) {
	id, err := n.service(r.Service)
	if err != nil {
		return nil, err
	}
	code, ok := methods[strings.ToUpper(r.Method)]
	if !ok {
		return nil, api.Errorf(api.Usage, "method %.10q is neither GET nor POST", r.Method)
	}
	m, err := coap.NewRequest(code, r.Path, r.Query, r.Payload)
	if err != nil {
		return nil, api.Errorf(api.Usage, "%v", err)
	}
	if m.Path() == "/e" { // the home must have the secret before the service does
		return nil, &api.Error{Kind: api.Usage, Message: "an epoch is begun by a revocation", Action: "edgeistry cap revoke --epoch"}
	}
	hold := time.Duration(r.HoldMS) * time.Millisecond
	if r.HoldMS != 0 {
		if err := phrase.CheckHold(hold); err != nil {
			return nil, api.Errorf(api.Usage, "hold_ms: %v", err)
		}
	}
	if r.Plain {
		return n.callPlain(ctx, id, m, r.Trace)
	}
	with, err := n.prove(r.Capability, r.Proof, id, r.Mirror)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	asked := with.request(m, r.Mirror)
	asked.Hold, asked.Trace = hold, r.Trace
	res, err := n.callWhenThere(ctx, r.Wait, with, asked)
	if res == nil && err != nil {
		return n.callFailed(id, err, time.Since(began))
	}
	if err == nil && res.Verdict.Tagged && code == coap.CodePOST && m.Path() == "/g" && len(r.Payload) == 2 {
		err := n.raised(id, r.Payload[0], r.Payload[1])
		if err == nil && r.Payload[0] == capability.BranchOwner {
			err = n.renewOwned(id)
		}
		if err != nil {
			return nil, fmt.Errorf("the service has the new generation, this home could not keep it: %w", err)
		}
	}
	out := n.callResult(id, with, m, res, err)
	out.TotalUS = time.Since(began).Microseconds()
	return out, nil
}

// awayPause is between two requests to a service whose device is away. Each also waits for the device for a while at its home node.
const awayPause = time.Second

// callWhenThere makes a request. If insist is set it makes it again until the device answers or ctx ends. A request that acts is not
// made again once it may have reached the device.
func (n *Node) callWhenThere(ctx context.Context, insist bool, with chosen, r client.Request) (*client.Result, error) {
	for {
		res, err := n.caller.Call(ctx, n.via(), with.Capability, r)
		var denied *client.Denied
		if !insist || !errors.As(err, &denied) || denied.ByDevice || denied.Unknown || denied.Reason != capability.ReasonNone ||
			denied.Code != coap.CodeUnavailable && denied.Code != coap.CodeGatewayTimeout || !wait(ctx, awayPause) {
			return res, err
		}
	}
}

// raised keeps that a branch of a service has a higher generation, if its key is in this home: for what is minted from now on, for
// the mirror, and for the node's own reading. The node's own service keeps its generations itself.
func (n *Node) raised(id edgeistry.ServiceID, branch, generation uint8) error {
	n.keys.Lock()
	defer n.keys.Unlock()
	key, err := n.state.Keys.Get(id)
	switch {
	case errors.Is(err, state.ErrNotFound), id == n.state.Keys.Own().ID:
		return nil
	case err != nil:
		return err
	case branch > capability.BranchMirror || generation <= key.Generations[branch]:
		return nil
	}
	key.Generations[branch] = generation
	if err := n.state.Keys.Save(key); err != nil {
		return err
	}
	if branch == capability.BranchMirror { // the owner's capability has a half of it
		if err := n.state.Keychain.RenewOwner(key); err != nil {
			return err
		}
	}
	if d := n.device(id); d != nil {
		return d.raised(key, branch)
	}
	return nil
}

// renewOwned is renew, if the key is in this home.
func (n *Node) renewOwned(id edgeistry.ServiceID) error {
	err := n.renew(id)
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	return err
}

// bumpOwn keeps a new generation of the node's own service. A write that failed may have got so far, too.
func (n *Node) bumpOwn(branch, generation uint8) (kept bool, err error) {
	n.keys.Lock()
	defer n.keys.Unlock()
	key := n.state.Keys.Own()
	key.Generations[branch] = generation
	if err = n.state.Keys.Save(key); err == nil {
		err = n.state.Keychain.RenewOwner(key)
	}
	return n.state.Keys.Own().Generations[branch] == generation, err
}

// advanceOwn keeps the next epoch of the node's own service, and gives its key if it is kept, even where something failed.
func (n *Node) advanceOwn(epoch uint16, r [32]byte) (*state.ServiceKey, error) {
	n.keys.Lock()
	defer n.keys.Unlock()
	key := n.state.Keys.Own()
	if key.Epoch+1 != epoch {
		return nil, fmt.Errorf("epoch %d does not follow epoch %d", epoch, key.Epoch)
	}
	next := key.Next(r)
	err := n.state.Keys.Save(next)
	if err == nil {
		err = n.state.Keychain.RenewOwner(next)
	}
	if kept := n.state.Keys.Own(); kept.Epoch == epoch {
		return kept, err
	}
	return nil, err
}

// callPlain sends a request that carries no proof, for what a service tells everybody.
func (n *Node) callPlain(ctx context.Context, id edgeistry.ServiceID, m *coap.Message, trace bool) (*api.CallResult, error) {
	m.Set(coap.OptionURIHost, []byte(id.String()))
	if trace {
		m.Set(coap.OptionTrace, nil)
	}
	began := time.Now()
	resp, err := n.via().Do(ctx, m)
	if err != nil {
		return n.callFailed(id, err, time.Since(began))
	}
	out := &api.CallResult{
		Service: id.String(), Code: coap.CodeText(resp.Code), Payload: resp.Payload, Format: formatOf(resp),
		By: "unverified", Message: "ok", TotalUS: time.Since(began).Microseconds(),
	}
	if raw, ok := resp.Get(coap.OptionTrace); ok {
		if timings, err := coap.DecodeTrace(raw); err == nil {
			out.Legs = legs(timings, time.Since(began))
		}
	}
	if !resp.Success() {
		n.refused(out, resp)
	}
	return out, nil
}

// callFailed gives the error of a request that got no answer, or an answer to its hello that is a refusal.
func (n *Node) callFailed(id edgeistry.ServiceID, err error, took time.Duration) (*api.CallResult, error) {
	var denied *client.Denied
	if errors.As(err, &denied) {
		out := &api.CallResult{
			Service: id.String(), Code: coap.CodeText(denied.Code), Tagged: denied.ByDevice, By: "unverified",
			Reason: uint8(denied.Reason), RetryAfter: int(denied.RetryAfter / time.Second), TotalUS: took.Microseconds(),
		}
		n.describe(out, denied, nil, nil)
		return out, nil
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, coap.ErrTimeout) {
		return nil, api.Errorf(api.Timeout, "%s did not answer within %v", n.nameOf(id), took.Round(time.Millisecond))
	}
	return nil, asAPIError(fmt.Errorf("%s: %w", n.nameOf(id), err))
}

// callResult gives the API's form of the answer to req, which may have gone out hidden.
func (n *Node) callResult(id edgeistry.ServiceID, with chosen, req *coap.Message, res *client.Result, err error) *api.CallResult {
	out := &api.CallResult{
		Service: id.String(), Code: coap.CodeText(res.Response.Code), Payload: res.Response.Payload, Format: formatOf(res.Response),
		Tagged: res.Verdict.Tagged, Capability: with.name, Session: "reused", Sequence: res.Sequence,
		Legs: legs(res.Legs, res.Took), Message: "ok",
	}
	if res.Opened {
		out.Session = "opened"
	}
	mirror := with.Header.Branch == capability.BranchMirror
	switch {
	case !out.Tagged:
		out.By = "unverified"
		if via := n.viaText(id); via != "" {
			out.By = "unverified, via " + via
		}
	case mirror:
		out.By = "mirror"
	case n.isNodeService(id):
		out.By = "node"
	default:
		out.By = "device"
	}
	var denied *client.Denied
	switch {
	case errors.As(err, &denied):
		out.Reason, out.Payload = uint8(denied.Reason), nil
		out.RetryAfter = int(denied.RetryAfter / time.Second)
		n.describe(out, denied, &with, req)
	case err != nil: // a success without proof counts for nothing
		out.Code, out.Payload = coap.CodeText(coap.CodeBadGateway), nil
		out.Message = "the answer carries no valid proof, so it does not count (" + out.By + ")"
	}
	return out
}

// refused fills in a refusal that carries no proof.
func (n *Node) refused(out *api.CallResult, resp *coap.Message) {
	d := &client.Denied{Code: resp.Code}
	if len(resp.Payload) > 0 && resp.Payload[0] < 0x20 {
		d.Reason = capability.Reason(resp.Payload[0])
		d.Message = d.Reason.String()
	} else {
		d.Message = coap.CodeText(resp.Code) + " " + printable(resp.Payload)
	}
	out.Reason, out.Payload = uint8(d.Reason), nil
	n.describe(out, d, nil, nil)
}

// isNodeService says whether a service is known to be hosted by a node.
func (n *Node) isNodeService(id edgeistry.ServiceID) bool {
	if id == n.state.Keys.Own().ID {
		return true
	}
	a, ok := n.registry.Known(id)
	return ok && a.Record.Manifest.Board == nodeBoard
}

// viaText names the node that a service is reached through.
func (n *Node) viaText(id edgeistry.ServiceID) string {
	a, ok := n.registry.Known(id)
	if !ok || len(a.Record.Homes) == 0 {
		return ""
	}
	return a.Record.Homes[0].ID.String()
}

func formatOf(m *coap.Message) *int {
	f, ok := m.GetUint(coap.OptionContentFormat)
	if !ok {
		return nil
	}
	v := int(f)
	return &v
}
