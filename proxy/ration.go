package proxy

import (
	"context"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// ration takes one opening from the ration of the peer for a request that costs the verifier a cookie or a chain, and for one in a
// session that this proxy did not see the peer open: such a session is a guess, or older than this process. It takes another
// opening when the answer shows that the request was junk. From a tagged answer it learns whose session it is.
func (p *Proxy) ration(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	if r.from.Local {
		return next(ctx, r)
	}
	held, proved := p.peers.holds(r.from, r.session())
	r.proved = proved
	if r.opens || r.protected && !held {
		if wait, ok := p.peers.open(r.from, time.Now()); !ok {
			return coap.TooMany(seconds(wait)), nil
		}
	}
	r.credit = p.peers.credit(r.from, time.Now())
	resp, err := next(ctx, r)
	switch {
	case resp == nil || !r.protected:
	case isTagged(resp):
		slot, ok := capability.Slot(&coap.Message{Options: resp.Options})
		p.peers.learn(r.from, session{r.service, slot, r.mirror, ok}, resp.Success())
	case isJunk(resp):
		p.peers.spend(r.from, time.Now())
	}
	return resp, err
}

// session returns the session that a request says it is in.
func (r *request) session() session {
	if !r.protected || r.opens {
		return session{}
	}
	slot, ok := capability.Slot(r.msg)
	return session{r.service, slot, r.mirror, ok}
}

// isTagged reports whether the service itself answered. The proxy cannot check the tag; it comes from the device's link, or from
// a service of this node.
func isTagged(resp *coap.Message) bool {
	_, ok := resp.Get(coap.OptionResponse)
	return ok
}

// isJunk reports whether an answer without a tag says that the request proved nothing: its cookie, tag or session is wrong.
func isJunk(resp *coap.Message) bool {
	if resp.Code>>5 != 4 || len(resp.Payload) == 0 {
		return false
	}
	switch capability.Reason(resp.Payload[0]) {
	case capability.ReasonCookie, capability.ReasonTag, capability.ReasonNoSession:
		return true
	}
	return false
}
