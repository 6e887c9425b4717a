package node

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
)

// A device never tells what its clock says, but it can be asked whether a moment is over: by a capability that ends then.

// aheadSteps are the differences that are asked for, the largest first.
var aheadSteps = [...]time.Duration{365 * 24 * time.Hour, 30 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute}

// DeviceClock compares a device's clock with this node's. With Set it sets the device's to this node's time, back too, which only the owner
// may: capabilities that had expired by the device's clock hold again until they expire by this one.
func (n *Node) DeviceClock(ctx context.Context, r api.DeviceClockRequest) (*api.DeviceClock, error) {
	ctx, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	d, err := n.deviceNamed(r.Device)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, clockTimeout(r.TimeoutMS))
	defer cancel()
	if r.Set {
		if err := n.deliverRevoked(ctx, d.Service); err != nil {
			return nil, n.clockFailure(ctx, d, err)
		}
		if err := d.setClockBack(ctx); err != nil {
			return nil, n.clockFailure(ctx, d, err)
		}
	}
	ahead, behind, err := d.compareClock(ctx)
	unknown := errors.Is(err, errClockUnknown)
	if err != nil && !unknown {
		return nil, n.clockFailure(ctx, d, err)
	}
	d.mu.Lock()
	refused := d.clockRefused
	d.mu.Unlock()
	out := &api.DeviceClock{Unknown: unknown, Refused: refused, Service: d.Service.String(), Name: d.Name, Node: time.Now(), Set: r.Set, AheadS: int(ahead.Seconds()), BehindS: int(behind.Seconds())}
	return out, nil
}

// clockTimeout bounds a comparison: up to ten sessions are opened for it.
func clockTimeout(ms int) time.Duration {
	const usual, longest = 30 * time.Second, 10 * time.Minute
	if ms <= 0 {
		return usual
	}
	return min(time.Duration(ms)*time.Millisecond, longest)
}

// clockFailure says for people why a device's clock was neither compared nor set.
func (n *Node) clockFailure(ctx context.Context, d *device, err error) error {
	var denied *client.Denied
	name := n.nameOf(d.Service)
	switch {
	case errors.As(err, &denied) && denied.ByDevice && denied.Reason == capability.ReasonArgument:
		return &api.Error{Kind: api.Failed, Message: "the firmware of " + name + " cannot set its clock back", Action: "load a newer firmware, or reset the device to its factory state and claim it anew"}
	case errors.As(err, &denied) && denied.ByDevice && denied.Reason == capability.ReasonNotFound:
		return &api.Error{Kind: api.Failed, Message: name + " has no clock"}
	case errors.As(err, &denied):
		return &api.Error{Kind: api.Denied, Message: name + ": " + problemOf(err)}
	case ctx.Err() != nil || errors.Is(err, coap.ErrTimeout):
		return &api.Error{Kind: api.Timeout, Message: name + " does not answer", Action: "check its power and its link, and ask again"}
	}
	return &api.Error{Kind: api.Failed, Message: name + ": " + problemOf(err)}
}

// errClockUnknown says that a device does not know the time.
var errClockUnknown = errors.New("the device does not know the time")

// setClockBack sets the device's clock to this node's time under the owner's own capability, also where that is earlier.
func (d *device) setClockBack(ctx context.Context) error {
	key, err := d.node.state.Keys.Get(d.Service)
	if err != nil {
		return err
	}
	owner := key.Owner()
	m := &coap.Message{Code: coap.CodePOST, Payload: append(binary.BigEndian.AppendUint32(nil, uint32(time.Now().Unix())), 1)}
	if err := m.SetPath("/t"); err != nil {
		return err
	}
	if _, err := d.call(ctx, d.node.caller, owner, m); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clockSet, d.noClock, d.clockAhead, d.clockBehind, d.clockRefused = time.Now(), false, 0, 0, false
	return nil
}

// compareClock returns by how much the device's clock is ahead of this node's, at least, or behind; both 0: by less than a minute.
func (d *device) compareClock(ctx context.Context) (ahead, behind time.Duration, err error) {
	now := time.Now()
	for _, step := range aheadSteps {
		over, err := d.isOver(ctx, now.Add(step))
		if err != nil {
			return 0, 0, err
		}
		if over {
			ahead = step
			break
		}
	}
	for i := len(aheadSteps) - 1; i >= 0 && ahead == 0; i-- {
		over, err := d.isOver(ctx, now.Add(-aheadSteps[i]))
		if err != nil {
			return 0, 0, err
		}
		if over {
			break
		}
		behind = aheadSteps[i]
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clockAhead, d.clockBehind = ahead, behind
	return ahead, behind, nil
}

// isOver asks the device whether a moment is over.
func (d *device) isOver(ctx context.Context, at time.Time) (bool, error) {
	until, err := (capability.FrameSpec{Limits: []capability.Limit{{Type: capability.TypeExpiry, Unix: uint32(max(at.Unix(), 1))}}}).Encode()
	if err != nil {
		return false, err
	}
	key, err := d.node.state.Keys.Get(d.Service)
	if err != nil {
		return false, err
	}
	with, err := newOwnFrame(key, until)
	if err != nil {
		return false, err
	}
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/l/none"); err != nil {
		return false, err
	}
	_, err = d.call(ctx, d.node.caller, with, m)
	var denied *client.Denied
	switch {
	case err == nil:
		return false, nil
	case !errors.As(err, &denied) || !denied.ByDevice:
		return false, err
	case denied.Reason == capability.ReasonDenied && denied.Constraint == capability.TypeExpiry:
		return true, nil
	case denied.Reason == capability.ReasonNotFound:
		return false, nil
	case denied.Reason == capability.ReasonNotEvaluable:
		return false, errClockUnknown
	}
	return false, err
}
