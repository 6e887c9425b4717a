package proxy

import (
	"context"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// defaultHops is the Hop-Limit of a request that names none.
const defaultHops = 8

// trace collects where the time of one request went.
type trace struct {
	wanted  bool
	timings []coap.Timing
}

func (t *trace) add(leg coap.Leg, took time.Duration) {
	if t.wanted {
		t.timings = append(t.timings, coap.Timing{Leg: leg, Took: took})
	}
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
	_, wanted := req.Get(coap.OptionTrace)
	t := &trace{wanted: wanted}
	resp := p.serve(ctx, from, req, t)
	if resp == nil {
		return nil
	}
	answer := *resp
	answer.Options = append([]coap.Option(nil), resp.Options...)
	answer.Remove(coap.OptionTrace)
	if t.wanted {
		answer.Add(coap.OptionTrace, coap.EncodeTrace(t.timings))
	}
	return &answer
}

func (p *Proxy) serve(ctx context.Context, from coap.Source, req *coap.Message, t *trace) *coap.Message {
	if req.Code>>5 != 0 || req.Code == coap.CodeEmpty {
		return capability.Refusal(capability.ReasonMalformed)
	}
	hops := uint32(defaultHops)
	if n, ok := req.GetUint(coap.OptionHopLimit); ok {
		hops = n
	}
	if hops == 0 {
		return said(&coap.Message{Code: coap.CodeHopLimitReached}, "hop limit reached")
	}
	n, refusal := name(from, req)
	if refusal != nil {
		return refusal
	}
	if refusal := screen(n.req); refusal != nil {
		return refusal
	}
	if isClaim(n.req) {
		return capability.Refusal(capability.ReasonClaimClosed)
	}
	if n.own {
		return p.serveOwn(from, n.req)
	}
	if opens(n.req) {
		if wait, ok := p.peers.open(from, time.Now()); !ok {
			return coap.TooMany(seconds(wait))
		}
	}
	if s := p.find(n.service); s != nil {
		began := time.Now()
		resp := p.serveHere(ctx, from, s, n.req, t)
		t.add(coap.LegHome, time.Since(began))
		return resp
	}
	return p.forward(ctx, from, n, hops, t)
}

// serveHere answers for a service of this node.
func (p *Proxy) serveHere(ctx context.Context, from coap.Source, s *service, req *coap.Message, t *trace) *coap.Message {
	if refusal := judge(ctx, s.denied, req); refusal != nil {
		return refusal
	}
	switch {
	case capability.IsMirror(req):
		if s.mirror == nil {
			return said(&coap.Message{Code: coap.CodeNotFound}, "no mirror of this service here")
		}
		return s.learn(ctx, req, s.mirror.ServeCoAP(ctx, from, req))
	case s.host != nil:
		return s.learn(ctx, req, s.host.ServeCoAP(ctx, from, req))
	case s.device == nil:
		return said(&coap.Message{Code: coap.CodeNotFound}, "only a mirror of this service is here")
	case isCore(req):
		return p.serveCore(ctx, from, s.device, req, t)
	}
	if refusal := admit(req); refusal != nil {
		return refusal
	}
	resp, err := s.device.exchange(ctx, from.Peer, s.denied, req, t)
	if err != nil {
		p.log.Debug("device did not answer", "service", s.device.id, "error", err)
		return refuse(err)
	}
	return resp
}

// learn notes whose session an answer of this node opened. What was denied while the answer waited for news is not told.
func (s *service) learn(ctx context.Context, req, resp *coap.Message) *coap.Message {
	if resp == nil {
		return nil
	}
	s.denied.Learn(req, resp)
	if refusal := judge(ctx, s.denied, req); refusal != nil {
		return refusal
	}
	return resp
}

// admit spares a device what it would refuse: of unprotected requests it gets a hello and nothing else.
func admit(req *coap.Message) *coap.Message {
	if _, protected := req.Get(coap.OptionRequest); protected {
		return nil
	}
	var kind string
	if first, ok := req.Get(coap.OptionURIPath); ok {
		kind = string(first)
	}
	switch {
	case req.Code == coap.CodePOST && req.Path() == "/h":
		if len(req.Payload) != helloSize {
			return capability.Refusal(capability.ReasonMalformed)
		}
		return nil
	case kind == "h" || kind == ".well-known":
		return capability.Refusal(capability.ReasonMethod)
	case kind == "l" || kind == "f" || kind == "t" || kind == "g" || kind == "e" || kind == "n":
		return capability.Refusal(capability.ReasonNeedCapability)
	}
	return capability.Refusal(capability.ReasonNotFound)
}

// helloSize is caller nonce (8) | header (12).
const helloSize = 20

// forward sends a request on to the home node of its service.
func (p *Proxy) forward(ctx context.Context, from coap.Source, n named, hops uint32, t *trace) *coap.Message {
	if p.cfg.Resolve == nil || (!from.Local && !from.Datagram && !p.cfg.EnableTransit) {
		return refuse(ErrNotFound)
	}
	if hops--; hops == 0 {
		return said(&coap.Message{Code: coap.CodeHopLimitReached}, "hop limit reached")
	}
	began := time.Now()
	home, err := p.cfg.Resolve(ctx, n.service)
	if err != nil {
		p.log.Debug("service not resolved", "service", n.service, "error", err)
		return refuse(err)
	}
	t.add(coap.LegResolve, time.Since(began))
	onward := *n.req
	onward.Options = append([]coap.Option(nil), n.req.Options...)
	onward.Add(coap.OptionURIHost, []byte(n.service.String()))
	onward.AddUint(coap.OptionHopLimit, hops)
	if t.wanted {
		onward.Add(coap.OptionTrace, nil)
	}
	began = time.Now()
	resp, err := home.Do(ctx, &onward)
	if err != nil {
		p.log.Debug("home node did not answer", "service", n.service, "error", err)
		return refuse(err)
	}
	t.add(coap.LegMesh, time.Since(began))
	if value, ok := resp.Get(coap.OptionTrace); ok && t.wanted {
		if timings, err := coap.DecodeTrace(value); err == nil { // a peer's word, for people only
			t.timings = append(t.timings, timings...)
		}
	}
	if isCore(n.req) {
		return blockwise(from, n.req, resp)
	}
	return resp
}
