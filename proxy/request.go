package proxy

import (
	"context"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// defaultHops is the Hop-Limit of a request that names none.
const defaultHops = 8

// request is one request on its way through the stages. It is parsed once, by parse; later stages only read it, but for what they
// are there to fill in.
type request struct {
	from coap.Source
	msg  *coap.Message // what goes on: the options of the way are taken out. Its options may be changed, their bytes not

	service edgeistry.ServiceID
	own     bool   // it names no service but this node
	hops    uint32 // the Hop-Limit it came with

	protected bool   // it has option 65001
	hello     bool   // it asks for a cookie
	opens     bool   // it costs the verifier a cookie or a chain
	mirror    bool   // it addresses the mirror verifier
	core      bool   // a plain GET of /.well-known/core
	path      string // only of unprotected requests

	proved bool    // its sender is proved. Filled in by Proxy.ration
	credit float64 // what is left of its sender's ration of openings. Filled in by Proxy.ration

	here  *service // what is here under the service's ID; nil: nothing. Filled in by Proxy.locate
	waits waits    // filled in by device.takeTurn
	trace trace
}

// handler answers a request. A nil answer without an error means that there is none to send.
type handler func(ctx context.Context, r *request) (*coap.Message, error)

// stage answers a request itself, or calls next for it, once at most, and may change the answer. An error becomes an answer in
// one place, Proxy.refuseErrors.
type stage func(ctx context.Context, r *request, next handler) (*coap.Message, error)

// chain lets last answer what the stages hand on, the first stage first. It is built once, so that a request costs no closures.
func chain(last handler, stages ...stage) handler {
	for i := len(stages) - 1; i >= 0; i-- {
		s, next := stages[i], last
		last = func(ctx context.Context, r *request) (*coap.Message, error) { return s(ctx, r, next) }
	}
	return last
}

// parse reads the options of the way and takes them out. A request that is not for this profile, or names nothing that is ours to
// reach, gets a refusal, with which the request goes no further. The request has its trace even then.
func parse(from coap.Source, req *coap.Message) (*request, *coap.Message) {
	r := &request{from: from, hops: defaultHops}
	var n naming
	for _, o := range req.Options {
		switch o.Number {
		case coap.OptionRequest:
			r.protected = true
		case coap.OptionTrace:
			r.trace.wanted = true
		default:
			n.take(o)
		}
	}
	if req.Code>>5 != 0 || req.Code == coap.CodeEmpty {
		return r, capability.Refusal(capability.ReasonMalformed)
	}
	if hops, ok := req.GetUint(coap.OptionHopLimit); ok {
		r.hops = hops
	}
	if r.hops == 0 {
		return r, hopLimitReached()
	}
	r.msg = &coap.Message{Code: req.Code, Payload: req.Payload}
	options, refusal := r.name(&n, req.Options)
	if refusal != nil {
		return r, refusal
	}
	if refusal := r.screen(options); refusal != nil {
		return r, refusal
	}
	if !r.protected {
		r.path = r.msg.Path()
	}
	r.hello = capability.IsHello(r.msg)
	r.opens = r.hello || capability.IsOpen(r.msg)
	r.mirror = capability.IsMirror(r.msg)
	r.core = !r.protected && req.Code == coap.CodeGET && r.path == "/.well-known/core"
	return r, nil
}

// ServeCoAP answers a request from anywhere: a mesh stream, the UDP port, or this process.
func (p *Proxy) ServeCoAP(ctx context.Context, from coap.Source, req *coap.Message) *coap.Message {
	leave, ok := p.peers.enter(from)
	if !ok {
		return coap.TooMany(1)
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, p.cfg.Limits.Exchange, coap.ErrTimeout)
	defer cancel()
	r, resp := parse(from, req)
	if resp == nil {
		resp, _ = p.serve(ctx, r) // refuseErrors is a stage of it
	}
	return r.trace.put(resp)
}
