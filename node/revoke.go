package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/denylist"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/keychain"
	"github.com/edgeistry/edgeistry/node/state"
)

// revokeWait is how long a revocation waits for the service before it says that it is pending. A device whose few sessions are all taken has room
// again after 2 s.
const revokeWait = 4 * time.Second

// revoking is one revocation: what it is of, and what it will do.
type revoking struct {
	keychain.Chosen
	key     *state.ServiceKey
	changes []state.Change // that the service is told
	denies  bool           // the capability itself goes on the deny list
	ended   string         // why it was over before
	full    bool           // the deny list has no room for it
}

// Revoke ends a capability and what was narrowed from it: here at once, by the deny list, and at the service, by a new generation of its
// branch or a new epoch, as soon as the service confirms it. It is kept before it has effect, so that neither a stop nor a sleeping device loses it.
func (n *Node) Revoke(ctx context.Context, r api.RevokeRequest) (*api.RevokeResult, error) {
	ctx, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	c, err := n.named(r.Capability)
	if err != nil {
		return nil, err
	}
	n.keys.Lock()
	v, err := n.planRevocation(c, r)
	var out *api.RevokeResult
	if err == nil {
		out, err = n.foresee(v)
	}
	if err == nil && !r.Preview {
		err = n.keepRevocation(v)
	}
	n.keys.Unlock()
	if err != nil || r.Preview {
		if out != nil {
			out.Preview = true
		}
		return out, err
	}
	if err := n.takeEffect(v); err != nil {
		return nil, err
	}
	n.settle(ctx, v.Service, revokeWait)
	out.Changes, err = n.changesNow(v)
	return out, err
}

// named finds a capability by its text or its keychain name, and the name that it has in the keychain, if any.
func (n *Node) named(given string) (keychain.Chosen, error) {
	c, err := n.chain().Find(given)
	if err == nil && c.Name == keychain.Given {
		c.Name = n.chain().NameOf(c.Capability)
	}
	return c, err
}

// planRevocation decides what a revocation does. The caller holds keys.
func (n *Node) planRevocation(c keychain.Chosen, r api.RevokeRequest) (*revoking, error) {
	key, err := n.state.Keys.Get(c.Service)
	if errors.Is(err, state.ErrNotFound) {
		return nil, &api.Error{Kind: api.NotFound, Message: "this home does not own " + n.nameOf(c.Service), Action: "revoke it at the service's owner; edgeistry cap rm forgets it here"}
	}
	if err != nil {
		return nil, err
	}
	known, err := n.state.Revocations.Get(c.Service)
	if err != nil {
		return nil, err
	}
	v := &revoking{Chosen: c, key: key, denies: true, ended: n.state.Ended(c.Capability)}
	v.full = !known.Room(len(v.halves()), time.Now(), key)
	_, ending := known.Epoch()
	switch {
	case ending:
		v.ended = fmt.Sprintf("epoch %d is over", key.Epoch)
	case r.Epoch && key.Epoch == math.MaxUint16:
		return nil, &api.Error{Kind: api.Failed, Message: fmt.Sprintf("epoch %d is the last", key.Epoch), Action: "reset the device to its factory state and claim it anew"}
	case r.Epoch:
		change := state.Change{Epoch: key.Epoch + 1}
		if _, err := rand.Read(change.Secret[:]); err != nil {
			return nil, err
		}
		v.changes = []state.Change{change}
	case state.IsOwner(c.Capability) && !r.Generation:
		return nil, &api.Error{Kind: api.Usage, Message: "this is the owner's own capability", Action: "--generation ends everything narrowed from it, --epoch everything ever shared; both leave the owner with a new one"}
	default:
		if err := v.planGenerations(r.Generation); err != nil {
			return nil, err
		}
	}
	if r.Epoch {
		v.denies = !state.IsOwner(c.Capability) // all of its epoch ends
	}
	return v, nil
}

// planGenerations raises the generation of the capability's branch. What is of an older generation or epoch the service ends, or has
// ended, already. Two branches are everybody's: the owner's has all that was narrowed from the owner's capability, the mirror branch the
// mirror halves of all pairs. Their generations are raised only if that is wanted: the home denies the capability by its fingerprint. Where
// the deny list is full the mirror branch's is raised all the same, which makes room.
func (v *revoking) planGenerations(wanted bool) error {
	for _, c := range v.halves() {
		branch, generation := c.Header.Branch, c.Header.Generation
		switch {
		case branch == capability.BranchOwner && !wanted, branch == capability.BranchMirror && !wanted && !v.full:
		case c.Header.Epoch != v.key.Epoch, generation < v.key.Generations[branch]:
		case generation == math.MaxUint8:
			return &api.Error{
				Kind: api.Failed, Message: fmt.Sprintf("generation 255 of branch %d is the last: bump the epoch", branch),
				Action: "edgeistry cap revoke --epoch, which ends everything ever shared of this service",
			}
		default:
			v.changes = append(v.changes, state.Change{Branch: branch, Generation: generation + 1})
		}
	}
	return nil
}

// halves returns the capability, and its mirror half if it is a pair.
func (v *revoking) halves() []*capability.Capability {
	out := []*capability.Capability{v.Capability}
	if m := v.Mirror(); m != nil {
		out = append(out, m)
	}
	return out
}

// listed returns the halves that go on the deny list. Where it is full these are the ones that no new generation ends.
func (v *revoking) listed() []*capability.Capability {
	if !v.full {
		return v.halves()
	}
	return slices.DeleteFunc(v.halves(), func(c *capability.Capability) bool {
		h := c.Header
		return h.Epoch != v.key.Epoch || h.Generation < v.key.Generations[h.Branch] || slices.ContainsFunc(v.changes, func(change state.Change) bool {
			return change.Epoch != 0 || change.Branch == h.Branch
		})
	})
}

// foresee returns what else of this keychain a revocation ends.
func (n *Node) foresee(v *revoking) (*api.RevokeResult, error) {
	out := &api.RevokeResult{
		Service: v.Service.String(), Name: n.state.Names.Of(v.Service), Capability: v.Name, Ended: v.ended,
		Changes: []api.Revocation{}, AlsoEnds: []api.AlsoEnds{},
	}
	if v.denies {
		for _, c := range v.listed() {
			out.Fingerprints = append(out.Fingerprints, denylist.Of(c).String())
		}
	}
	for _, c := range v.changes {
		out.Changes = append(out.Changes, n.changeOf(v.Service, c, nil))
	}
	entries, _ := n.state.Keychain.All() // a damaged one shows in edgeistry cap ls
	for _, e := range entries {
		if e.Name == v.Name || e.Capability.Service != v.Service || e.Capability.Text() == v.Text() || n.state.Ended(e.Capability) != "" {
			continue
		}
		if why := v.ends(e.Capability); why != "" {
			out.AlsoEnds = append(out.AlsoEnds, api.AlsoEnds{Name: e.Name, Why: why})
		}
	}
	return out, nil
}

// ends returns why a revocation ends another capability of the service; empty: it does not, or it is the owner's and made anew.
func (v *revoking) ends(c *capability.Capability) string {
	if state.IsOwner(c) {
		return ""
	}
	for _, change := range v.changes {
		switch {
		case change.Epoch != 0:
			return "same epoch"
		case change.Branch == c.Header.Branch:
			return "same branch"
		case change.Branch == capability.BranchMirror && c.Mirror() != nil:
			return "its mirror half: same branch"
		}
	}
	if v.denies {
		of := denylist.Of(v.Capability)
		for _, f := range denylist.Chain(c) {
			if f == of {
				return "narrowed from it"
			}
		}
	}
	return ""
}

// keepRevocation writes a revocation to the home. The caller holds keys.
func (n *Node) keepRevocation(v *revoking) error {
	known, err := n.state.Revocations.Get(v.Service)
	if err != nil {
		return err
	}
	now := time.Now()
	if v.denies {
		for _, c := range v.listed() {
			d := state.Denial{
				Fingerprint: denylist.Of(c), Epoch: c.Header.Epoch, Branch: c.Header.Branch, Generation: c.Header.Generation,
				Name: v.Name, Since: now, Expires: expiry(c),
			}
			if err := known.Deny(d, v.key); err != nil {
				return &api.Error{Kind: api.Failed, Message: err.Error()}
			}
		}
	}
	for i := range v.changes {
		v.changes[i].Since = now
		known.Add(v.changes[i])
	}
	return n.state.Revocations.Save(known)
}

// takeEffect makes what was kept count at this node, and begins to tell the service. It may be repeated.
func (n *Node) takeEffect(v *revoking) error {
	if err := n.denyHere(v.Service); err != nil {
		return err
	}
	for _, c := range v.changes {
		if err := n.anticipate(v.Service, c); err != nil {
			return err
		}
	}
	return n.revoker(v.Service).begin()
}

// denyHere hands the proxy the deny list of a service as the home has it.
func (n *Node) denyHere(id edgeistry.ServiceID) error {
	known, err := n.state.Revocations.Get(id)
	if err != nil {
		return err
	}
	n.proxy.Deny(id, known.Fingerprints())
	return nil
}

// anticipate lets this home act as if a service had confirmed a change, as far as that can be taken back by nothing: what is minted from
// now on is of the new generation, and the mirror serves nothing of what ends. The node's own service is asked at once, and does so itself.
func (n *Node) anticipate(id edgeistry.ServiceID, c state.Change) error {
	if id == n.state.Keys.Own().ID {
		return nil
	}
	if c.Epoch == 0 {
		_, err := n.raised(id, c.Branch, c.Generation)
		return err
	}
	d := n.device(id)
	if d == nil {
		return nil
	}
	n.keys.Lock()
	defer n.keys.Unlock()
	key, err := n.state.Keys.Get(id)
	if err != nil || key.Epoch >= c.Epoch {
		return err
	}
	return d.mirror.SetEpoch(verifying(key.Next(c.Secret)))
}

// changesNow returns the changes of a revocation, and where it changed nothing those that its service has pending.
func (n *Node) changesNow(v *revoking) ([]api.Revocation, error) {
	known, err := n.state.Revocations.Get(v.Service)
	if err != nil {
		return nil, err
	}
	r := n.revoker(v.Service)
	out := []api.Revocation{}
	for _, c := range known.Changes {
		mine := len(v.changes) == 0 && c.Pending()
		for _, want := range v.changes {
			mine = mine || c.Since.Equal(want.Since)
		}
		if mine {
			out = append(out, n.changeOf(v.Service, c, r))
		}
	}
	return out, nil
}

// Revocations lists what this home has revoked of a service, or of all: the deny lists, what waits for its service, and what is done.
func (n *Node) Revocations(_ context.Context, nameOrID string) ([]api.Revocation, error) {
	ids, err := n.state.Revocations.Services()
	if nameOrID != "" {
		var id edgeistry.ServiceID
		id, err = n.service(nameOrID)
		ids = []edgeistry.ServiceID{id}
	}
	if err != nil {
		return nil, err
	}
	out := []api.Revocation{}
	for _, id := range ids {
		known, err := n.state.Revocations.Get(id)
		if err != nil {
			return nil, err
		}
		r := n.revoker(id)
		for _, c := range known.Changes {
			out = append(out, n.changeOf(id, c, r))
		}
		known.Prune(time.Now())
		for _, d := range known.Denied {
			out = append(out, api.Revocation{
				Service: id.String(), Name: n.state.Names.Of(id), Kind: "denied", Capability: d.Name, Fingerprint: d.Fingerprint.String(), Branch: &d.Branch,
				Since: d.Since, Expires: d.Expires, State: api.RevokedHere,
			})
		}
	}
	return out, nil
}

// waiting returns what a service has not confirmed.
func (n *Node) waiting(id edgeistry.ServiceID) []api.Revocation {
	known, err := n.state.Revocations.Get(id)
	if err != nil {
		return []api.Revocation{{Service: id.String(), State: api.RevokedWaiting, Problem: problemOf(err)}}
	}
	var out []api.Revocation
	for _, c := range known.Pending() {
		out = append(out, n.changeOf(id, c, n.revoker(id)))
	}
	return out
}

// changeOf returns the API's form of a change; r, if not nil, knows how delivery went.
func (n *Node) changeOf(id edgeistry.ServiceID, c state.Change, r *revoker) api.Revocation {
	out := api.Revocation{
		Service: id.String(), Name: n.state.Names.Of(id), Kind: "epoch", Epoch: c.Epoch, Since: c.Since, State: api.RevokedWaiting, Done: c.Done,
	}
	if c.Epoch == 0 {
		out.Kind, out.Branch, out.Generation = "generation", &c.Branch, &c.Generation
	}
	if !c.Pending() {
		out.State = api.RevokedDone
	} else if r != nil {
		out.Tried, out.Problem = r.last()
	}
	return out
}

// Allow takes an entry out of a service's deny list.
func (n *Node) Allow(ctx context.Context, r api.AllowRequest) (*struct{}, error) {
	_, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	id, err := n.service(r.Service)
	if err != nil {
		return nil, err
	}
	f, err := denylist.Parse(r.Fingerprint)
	if err != nil {
		return nil, api.Errorf(api.Usage, "%v", err)
	}
	n.keys.Lock()
	defer n.keys.Unlock()
	known, err := n.state.Revocations.Get(id)
	if err != nil {
		return nil, err
	}
	if !known.Allow(f) {
		return nil, &api.Error{Kind: api.NotFound, Message: fmt.Sprintf("%s is not on the deny list of %s", f, n.nameOf(id)), Action: "edgeistry cap revocations"}
	}
	if err := n.state.Revocations.Save(known); err != nil {
		return nil, err
	}
	n.proxy.Deny(id, known.Fingerprints())
	return &struct{}{}, nil
}

// expiry returns the time at which a capability expires by itself; zero: never.
func expiry(c *capability.Capability) time.Time {
	var end time.Time
	for _, f := range c.Frames {
		spec, err := f.Decode()
		if err != nil {
			continue
		}
		for _, l := range spec.Limits {
			if t := time.Unix(int64(l.Unix), 0); l.Type == capability.TypeExpiry && (end.IsZero() || t.Before(end)) {
				end = t
			}
		}
	}
	return end
}
