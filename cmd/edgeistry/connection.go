package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// connect returns the client of the node that runs on this home.
func (c *cli) connect() (*state.State, *api.Client, error) {
	h, err := c.openHome()
	if err != nil {
		return nil, nil, err
	}
	client, err := api.Dial(h)
	if err != nil {
		if api.KindOf(err) == api.NotFound && !errors.Is(err, state.ErrForeign) {
			return nil, nil, c.noNode(h)
		}
		return nil, nil, err
	}
	return h, client, nil
}

func (c *cli) noNode(h *state.State) error {
	return notFoundf("no node is running for home %s (start it with: edgeistry run%s)", h.Dir(), c.homeFlag())
}

// ask connects, runs one exchange within --timeout, and says where the time went if it was too short.
func (c *cli) ask(ctx context.Context, doing string, exchange func(context.Context, *state.State, *api.Client) error) error {
	h, client, err := c.connect()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := c.bounded(ctx, doing)
	defer cancel()
	return c.explain(ctx, h, client, exchange(ctx, h, client))
}

// explain replaces what a client can only say in general by what this command line knows.
func (c *cli) explain(ctx context.Context, h *state.State, client *api.Client, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); errors.Is(cause, errTimedOut) && exitCode(err) != exitDenied {
		return cause
	}
	// The file api outlives a node that was killed, so only asking tells a node without the thing from no node.
	if exitCode(err) != exitNotFound || errors.Is(err, api.ErrStranger) {
		return err
	}
	if gone := client.Healthy(ctx); api.KindOf(gone) == api.NotFound {
		if errors.Is(gone, api.ErrStranger) {
			return gone
		}
		return c.noNode(h)
	}
	return err
}

// timeoutMS tells the node how long this command waits. The node gives up a little earlier, because it knows where the time
// went and this side does not.
func (c *cli) timeoutMS() int {
	if c.timeout <= 0 {
		return 0
	}
	return int((c.timeout - min(c.timeout/10, 250*time.Millisecond)).Milliseconds())
}

// timer is a device's own clock: its boot count, and the tick in 100 ms since then.
type timer struct{ boot, tick uint32 }

// deviceTimer asks a service for its timer: the answer to a hello carries it, and a hello needs no permission.
func (c *cli) deviceTimer(ctx context.Context, id edgeistry.ServiceID) (timer, error) {
	var out timer
	err := c.ask(ctx, "asking "+id.String()+" for its timer", func(ctx context.Context, _ *state.State, client *api.Client) error {
		var err error
		out, err = askTimer(ctx, client, id, c.timeoutMS())
		return err
	})
	return out, err
}

func askTimer(ctx context.Context, client *api.Client, id edgeistry.ServiceID, timeoutMS int) (timer, error) {
	anybody := &capability.Capability{Service: id, Header: capability.Header{Hint: id.Hint(), Epoch: 1}}
	hello, err := anybody.NewHello(rand.Reader)
	if err != nil {
		return timer{}, err
	}
	answer, err := client.Call(ctx, api.CallRequest{
		Service: id.String(), Method: "POST", Path: "/h", Payload: hello.Payload(), Plain: true, TimeoutMS: timeoutMS,
	})
	if err != nil {
		return timer{}, err
	}
	if err := answer.Err(); err != nil {
		return timer{}, err
	}
	if len(answer.Payload) != 16 {
		return timer{}, failedf("the answer to a hello has %d bytes, want 16", len(answer.Payload))
	}
	return timer{binary.BigEndian.Uint32(answer.Payload), binary.BigEndian.Uint32(answer.Payload[4:])}, nil
}
