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
	"github.com/edgeistry/edgeistry/internal/retry"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/keychain"
	"github.com/edgeistry/edgeistry/node/state"
)

// target is the service of a call: its ID, and what people call it here. It is resolved once and handed down.
type target struct {
	id   edgeistry.ServiceID
	name string // the local name, or the ID
}

// target returns the service that a request names, or the node's own.
func (n *Node) target(nameOrID string) (target, error) {
	id, err := n.service(nameOrID)
	if err != nil {
		return target{}, err
	}
	return n.targetOf(id), nil
}

// targetOf returns a service whose ID is known already.
func (n *Node) targetOf(id edgeistry.ServiceID) target { return target{id: id, name: n.nameOf(id)} }

// proofOf returns what a caller of the API named to prove a request.
func proofOf(given string, with api.Proof) keychain.Proof {
	return keychain.Proof{Capability: given, Also: with.Also, Discharges: with.Discharges, Private: with.Private}
}

// nameOf returns a service's local name, or its ID.
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
	t, err := n.target(r.Service)
	if err != nil {
		return nil, err
	}
	return n.call(ctx, t, r)
}

// call is Call with the service resolved: it does not read r.Service.
func (n *Node) call(ctx context.Context, t target, r api.CallRequest) (*api.CallResult, error) {
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
		return n.callPlain(ctx, t, m, r.Trace)
	}
	with, err := n.chain().Prove(proofOf(r.Capability, r.Proof), t.id, r.Mirror)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	asked := with.Request(m, r.Mirror)
	asked.Hold, asked.Trace = hold, r.Trace
	res, err := n.callWhenThere(ctx, r.Wait, with, asked)
	if res == nil && err != nil {
		return n.callFailed(t, err, time.Since(began))
	}
	if err == nil && res.Verdict.Tagged && code == coap.CodePOST && m.Path() == "/g" && len(r.Payload) == 2 {
		if _, err := n.raised(t.id, r.Payload[0], r.Payload[1]); err != nil {
			return nil, fmt.Errorf("the service has the new generation, this home could not keep it: %w", err)
		}
	}
	out := n.callResult(t.id, with, m, res, err)
	out.TotalUS = time.Since(began).Microseconds()
	return out, nil
}

// awayPause is between two requests to a service whose device is away. Each also waits for the device for a while at its home node.
const awayPause = time.Second

// callWhenThere makes a request. If insist is set it makes it again until the device answers or ctx ends. A request that acts is not
// made again once it may have reached the device.
func (n *Node) callWhenThere(ctx context.Context, insist bool, with keychain.Chosen, r client.Request) (*client.Result, error) {
	for {
		res, err := n.caller.Call(ctx, n.via(), with.Capability, r)
		var denied *client.Denied
		if !insist || !errors.As(err, &denied) || denied.ByDevice || denied.Unknown || denied.Reason != capability.ReasonNone ||
			denied.Code != coap.CodeUnavailable && denied.Code != coap.CodeGatewayTimeout || !retry.Wait(ctx, awayPause) {
			return res, err
		}
	}
}

// callPlain sends a request that carries no proof, for what a service tells everybody.
func (n *Node) callPlain(ctx context.Context, t target, m *coap.Message, trace bool) (*api.CallResult, error) {
	m.Set(coap.OptionURIHost, []byte(t.id.String()))
	if trace {
		m.Set(coap.OptionTrace, nil)
	}
	began := time.Now()
	resp, err := n.via().Do(ctx, m)
	if err != nil {
		return n.callFailed(t, err, time.Since(began))
	}
	out := &api.CallResult{
		Service: t.id.String(), Code: coap.CodeText(resp.Code), Payload: resp.Payload, Format: formatOf(resp),
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

// callFailed returns the error of a request that got no answer, or an answer to its hello that is a refusal.
func (n *Node) callFailed(t target, err error, took time.Duration) (*api.CallResult, error) {
	var denied *client.Denied
	if errors.As(err, &denied) {
		out := &api.CallResult{
			Service: t.id.String(), Code: coap.CodeText(denied.Code), Tagged: denied.ByDevice, By: "unverified",
			Reason: uint8(denied.Reason), RetryAfter: int(denied.RetryAfter / time.Second), TotalUS: took.Microseconds(),
		}
		n.describe(out, denied, nil, nil)
		return out, nil
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, coap.ErrTimeout) {
		return nil, api.Errorf(api.Timeout, "%s did not answer within %v", t.name, took.Round(time.Millisecond))
	}
	return nil, n.asAPIError(fmt.Errorf("%s: %w", t.name, err))
}

// callResult returns the API's form of the answer to req, which may have gone out hidden.
func (n *Node) callResult(id edgeistry.ServiceID, with keychain.Chosen, req *coap.Message, res *client.Result, err error) *api.CallResult {
	out := &api.CallResult{
		Service: id.String(), Code: coap.CodeText(res.Response.Code), Payload: res.Response.Payload, Format: formatOf(res.Response),
		Tagged: res.Verdict.Tagged, Capability: with.Name, Session: "reused", Sequence: res.Sequence,
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

// isNodeService reports whether a service is known to be hosted by a node.
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
