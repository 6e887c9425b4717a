package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
	"github.com/edgeistry/edgeistry/proxy"
)

// claimTime bounds a whole claim.
const claimTime = 2 * time.Minute

// claiming is one claim under way.
type claiming struct {
	node    *Node
	request api.ClaimRequest
	setup   capability.SetupCode
	pending *state.PendingClaim
	link    *link.Link
	before  *device // the device that held the link; it was reset to factory state if the claim succeeds
	device  *device
}

// Claim takes ownership of a factory-new device: it becomes a service of this node, whose owner capability is kept in the keychain
// as NAME/owner. step is told what is done. A claim that was interrupted at any point is taken up by claiming again.
func (n *Node) Claim(ctx context.Context, r api.ClaimRequest, step func(step, of int, text string)) (*api.ClaimResult, error) {
	ctx, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	n.claims.Lock()
	defer n.claims.Unlock()
	ctx, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	c := &claiming{node: n, request: r}
	if err := c.prepare(); err != nil {
		return nil, err
	}
	claimed, err := c.run(ctx, step)
	if c.device != nil {
		n.follow(c.device)
	}
	if err != nil {
		err = claimFailed(err)
		if c.before != nil && closed(err) {
			err = &api.Error{Kind: api.Denied, Message: fmt.Sprintf("the device at %s is yours already, as %s", r.Link, n.nameOf(c.before.Service)), Action: "edgeistry device ls; to claim it anew, press its button for a factory reset first"}
		}
		if c.device == nil && c.before == nil {
			_ = c.link.Close() // opened for the claim only
		}
		return nil, err
	}
	return &api.ClaimResult{
		Service: c.device.Service.String(), Name: r.Name, Capability: c.capabilityName(),
		Board: claimed.Manifest.Board, Firmware: claimed.Manifest.Firmware,
	}, nil
}

// prepare checks the request and makes or finds the service's key, before anything is sent.
func (c *claiming) prepare() error {
	n, r := c.node, c.request
	var err error
	if c.setup, err = capability.ParseSetupCode(r.SetupCode); err != nil {
		return &api.Error{Kind: api.Usage, Message: fmt.Sprintf("the setup code cannot be read: %v", err), Action: "type it as printed on the device: EDGDEV1-..."}
	}
	c.pending, err = n.state.Claims.Get(c.setup.ID)
	switch {
	case errors.Is(err, state.ErrNotFound):
		key, err := state.NewServiceKey()
		if err != nil {
			return err
		}
		c.pending = &state.PendingClaim{Key: key}
	case err != nil:
		return err
	}
	for _, d := range n.deviceList() {
		if d.Link == r.Link {
			c.before, c.link = d, d.link
		}
	}
	if err := c.checkName(); err != nil {
		return err
	}
	address, err := link.Parse(r.Link)
	if err != nil {
		return api.Errorf(api.Usage, "%v", err)
	}
	if address.Serial != "" && c.link == nil {
		if _, err := os.Stat(address.Serial); err != nil {
			return &api.Error{Kind: api.NotFound, Message: fmt.Sprintf("no serial line: %v", err), Action: "check the cable and the name of the link"}
		}
	}
	if c.link == nil {
		c.link, err = link.Open(r.Link, link.Config{Logger: n.log})
		if err != nil {
			return api.Errorf(api.Usage, "%v", err)
		}
	}
	return nil
}

// checkName refuses a name that stands for another service, unless it is the one that this device was before.
func (c *claiming) checkName() error {
	name := c.request.Name
	if name == "" {
		return nil
	}
	if err := edgeistry.CheckName(name); err != nil {
		return api.Errorf(api.Usage, "%v", err)
	}
	old, err := c.node.state.Names.Get(name)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return nil
	case err != nil:
		return err
	case old == c.pending.Key.ID, c.before != nil && old == c.before.Service:
		return nil
	}
	return api.Errorf(api.Usage, "the name %q stands for %s already; choose another", name, old)
}

// run makes the claim; one that was begun before is finished if the device accepted it then, and begun anew if not.
func (c *claiming) run(ctx context.Context, step func(step, of int, text string)) (*proxy.Claimed, error) {
	req := proxy.ClaimRequest{
		Link: c.link, Setup: c.setup, Service: c.pending.Key.ID,
		Progress: func(s int, text string) {
			if step != nil {
				step(s, proxy.ClaimSteps, text)
			}
		},
		Keep: func(s proxy.ClaimState) error {
			c.pending.OwnerNonce, c.pending.Answer = s.OwnerNonce, s.Answer
			return c.node.state.Claims.Save(c.setup.ID, *c.pending)
		},
		Works:   c.works,
		Publish: func(ctx context.Context) error { _, err := c.node.publish(ctx, c.pending.Key); return err },
	}
	if len(c.pending.OwnerNonce) > 0 {
		req.Resume = &proxy.ClaimState{OwnerNonce: c.pending.OwnerNonce, Answer: c.pending.Answer}
		claimed, err := c.node.proxy.Claim(ctx, req)
		var failed *proxy.ClaimError
		if !errors.As(err, &failed) || failed.Step != 3 || failed.Reason != capability.ReasonCookie {
			return claimed, err
		}
		req.Resume = nil // the device never took it
	}
	return c.node.proxy.Claim(ctx, req)
}

// works keeps what the claim gave, makes the device reachable, and has it do something only its owner may: take the time.
func (c *claiming) works(ctx context.Context, claimed proxy.Claimed) error {
	n, key := c.node, c.pending.Key
	key.EpochKey, key.Epoch = claimed.Key, 1
	if err := c.keepKey(key); err != nil {
		return err
	}
	if c.before != nil && c.before.Service != key.ID {
		if err := c.forget(c.before); err != nil {
			return err
		}
	}
	if c.device = n.device(key.ID); c.device == nil {
		reader, err := newReader(key)
		if err != nil {
			return err
		}
		d := state.Device{
			Service: key.ID, Name: c.request.Name, Link: c.request.Link, Manifest: claimed.Manifest, Claimed: time.Now(), Reader: reader,
		}
		if err := n.state.Devices.Save(d); err != nil {
			return err
		}
		if c.device, err = n.addDevice(ctx, d, c.link); err != nil {
			return err
		}
	}
	if c.request.Name != "" {
		if err := n.state.Names.Save(c.request.Name, key.ID); err != nil {
			return err
		}
	}
	if old, err := n.state.Keychain.Get(c.capabilityName()); err == nil && old.Service == key.ID && old.Text() != key.Owner().Text() {
		if err := n.state.Keychain.Remove(c.capabilityName()); err != nil { // of a claim before, that was not finished
			return err
		}
	}
	if err := n.state.Keychain.Save(c.capabilityName(), key.Owner()); err != nil {
		return err
	}
	if err := c.device.postTime(ctx, key.Owner()); err != nil {
		return fmt.Errorf("the device does not take the time from its owner: %w", err)
	}
	return n.state.Claims.Remove(c.setup.ID)
}

// keepKey keeps the key that the claim gave. If an earlier claim of the device gave another one, or went over another link,
// what was made of that is forgotten first, so that it is made anew; if it is the same key, its generations stay.
func (c *claiming) keepKey(key *state.ServiceKey) error {
	n := c.node
	stored, err := n.state.Keys.Get(key.ID)
	if err != nil && !errors.Is(err, state.ErrNotFound) {
		return err
	}
	same := err == nil && stored.EpochKey == key.EpochKey
	if old := n.device(key.ID); old != nil && (!same || old.link != c.link) {
		if err := c.forget(old); err != nil { // without keys: what it waits for may want them
			return err
		}
	}
	n.keys.Lock()
	defer n.keys.Unlock()
	if same {
		if stored, err = n.state.Keys.Get(key.ID); err != nil {
			return err
		}
		key.Generations = stored.Generations
	}
	return n.state.Keys.Save(key)
}

// forget takes out a device whose place the claimed one takes. Its link goes on as the claim's, or is closed.
func (c *claiming) forget(d *device) error {
	err := c.node.forget(d)
	if d == c.before {
		c.before = nil
	}
	if d.link == c.link {
		return err
	}
	return errors.Join(err, d.link.Close())
}

// capabilityName is where the keychain keeps the owner's capability.
func (c *claiming) capabilityName() string {
	if c.request.Name != "" {
		return c.request.Name + "/owner"
	}
	return c.pending.Key.ID.String() + "/owner"
}

// forget takes a device out that was reset to its factory state: no key of this home opens it any more. The copies of its logs
// stay, and its service key.
func (n *Node) forget(d *device) error {
	d.retire()
	n.mu.Lock()
	delete(n.devices, d.Service)
	n.mu.Unlock()
	n.proxy.RemoveDevice(d.Service)
	n.caller.Forget(d.Service)
	errs := []error{n.proxy.HostMirror(d.Service, nil), n.state.Devices.Remove(d.Service), n.dropPending(d.Service)}
	owners := []string{d.Service.String() + "/owner"}
	if d.Name != "" {
		errs = append(errs, n.state.Names.Remove(d.Name))
		owners = append(owners, d.Name+"/owner")
	}
	for _, name := range owners {
		if old, err := n.state.Keychain.Get(name); err == nil && old.Service == d.Service {
			errs = append(errs, n.state.Keychain.Remove(name))
		}
	}
	return errors.Join(errs...)
}

// claimFailed returns the API's form of a failed claim: which step, why, what to do.
func claimFailed(err error) error {
	var failed *proxy.ClaimError
	if !errors.As(err, &failed) {
		return err
	}
	e := asAPIError(err)
	e = &api.Error{Kind: e.Kind, Message: failed.Error(), Action: e.Action}
	switch {
	case errors.Is(err, link.ErrRefused):
		e.Kind, e.Action = api.NotFound, "check --link, and that the device runs"
	case errors.Is(err, coap.ErrLinkDown):
		e.Kind, e.Action = api.NotFound, "check the cable and the name of the link, and that no other program has it open"
	case errors.Is(err, coap.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Action = api.Timeout, "check that the device has power and that --link names it, then claim again: it takes up where it stopped"
	case errors.Is(err, capability.ErrClaim), failed.Reason != capability.ReasonNone:
		e.Kind = api.Denied
		e.Denial = &api.Denial{By: "device", Reason: uint8(failed.Reason), Text: failed.Err.Error()}
	}
	return e
}

// closed reports whether the device said that it takes no claim now.
func closed(err error) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Denial != nil && e.Denial.Reason == uint8(capability.ReasonClaimClosed)
}
