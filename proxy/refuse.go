package proxy

import (
	"context"
	"errors"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// refuseErrors makes the answer of an error.
func (p *Proxy) refuseErrors(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	resp, err := next(ctx, r)
	if err == nil {
		return resp, nil
	}
	p.log.Debug("request not answered", "service", r.service, "error", err)
	return refuse(err), nil
}

// refuse returns the answer for a failure on the way to a device or to another node.
func refuse(err error) *coap.Message {
	var away *AwayError
	switch {
	case errors.As(err, &away):
		return said(coap.Unavailable(awayAge), awayText(away.Since))
	case errors.Is(err, errQueueFull):
		return said(coap.Unavailable(2), "too many requests wait for the device")
	case errors.Is(err, coap.ErrTooLarge):
		return capability.Refusal(capability.ReasonTooLarge)
	case errors.Is(err, coap.ErrLinkDown):
		return said(coap.Unavailable(awayAge), "the device's link is down")
	case errors.Is(err, ErrNotFound):
		return said(&coap.Message{Code: coap.CodeNotFound}, "no such service")
	case errors.Is(err, coap.ErrTimeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return said(&coap.Message{Code: coap.CodeGatewayTimeout}, "no answer in time")
	}
	return said(&coap.Message{Code: coap.CodeBadGateway}, "the way to the service failed")
}

// said adds a text for people. Only fixed texts and times: nothing of this node's insides goes out.
func said(m *coap.Message, text string) *coap.Message {
	m.Payload = []byte(text)
	return m
}
