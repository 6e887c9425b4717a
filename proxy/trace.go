package proxy

import (
	"context"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

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

// put returns the answer with the trace, if it was asked for, instead of any other. The answer may be shared, so it is copied before
// it is changed.
func (t *trace) put(resp *coap.Message) *coap.Message {
	if resp == nil {
		return nil
	}
	if _, other := resp.Get(coap.OptionTrace); !other && !t.wanted {
		return resp
	}
	answer := *resp
	answer.Options = append([]coap.Option(nil), resp.Options...)
	answer.Remove(coap.OptionTrace)
	if t.wanted {
		answer.Add(coap.OptionTrace, coap.EncodeTrace(t.timings))
	}
	return &answer
}

// timeHome measures what this node, as the home of the service, spends on a request.
func timeHome(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	began := time.Now()
	resp, err := next(ctx, r)
	r.trace.add(coap.LegHome, time.Since(began))
	return resp, err
}
