package node

import (
	"context"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/api"
)

// Replay sends the last protected request of this node to a service again, as somebody on the way could who has recorded it. It
// shows what the service does about that, and works only with enable_test_hooks.
func (n *Node) Replay(ctx context.Context, r api.ReplayRequest) (*api.CallResult, error) {
	if !n.cfg.EnableTestHooks {
		return nil, &api.Error{Kind: api.Denied, Message: "replaying is switched off", Action: "enable_test_hooks: true in config.yaml, for tests only"}
	}
	id, err := n.service(r.Service)
	if err != nil {
		return nil, err
	}
	var change func(*capability.Message)
	switch r.Mode {
	case "replay", "as_is", "":
	case "flip":
		change = flip
	default:
		return nil, api.Errorf(api.Usage, "mode %.20q is none of replay, flip, as_is", r.Mode)
	}
	began := time.Now()
	res, err := n.caller.CallRaw(ctx, n.via(), id, change)
	if res == nil && err != nil {
		return n.callFailed(id, err, time.Since(began))
	}
	out := n.callResult(id, chosen{Capability: &capability.Capability{Service: id}, name: "(replayed)"}, res, err)
	out.TotalUS = time.Since(began).Microseconds()
	return out, nil
}

// flip inverts one bit of the payload, or of the path of a request that has none.
func flip(m *capability.Message) {
	if len(m.Payload) > 0 {
		m.Payload[0] ^= 1
		return
	}
	for i := len(m.Options) - 1; i >= 0; i-- {
		if o := m.Options[i]; o.Number == capability.OptionURIPath && len(o.Value) > 0 {
			o.Value[len(o.Value)-1] ^= 1
			return
		}
	}
}
