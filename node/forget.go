package node

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// RemoveDevice takes a device out of this node: its link, names, capabilities and key. The device itself is not told, and
// stays claimed: only a factory reset, or a backup of the key, makes it usable again.
func (n *Node) RemoveDevice(ctx context.Context, r api.RemoveDeviceRequest) (*api.Forgotten, error) {
	ctx, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	n.claims.Lock()
	defer n.claims.Unlock()
	d, err := n.deviceNamed(r.Device)
	if err != nil {
		return nil, err
	}
	out, err := n.known(d.Service, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	copies, err := n.copiesOf(ctx, d.Service)
	if err != nil {
		return nil, err
	}
	if out.Logs = copies; r.KeepLogs {
		out.Logs, out.Kept = out.Kept, copies
	}
	if err := n.unused(d.Service); err != nil {
		return nil, err
	}
	out.Key, out.Preview = true, r.Preview
	if r.Preview {
		return out, nil
	}
	if err := errors.Join(n.forget(d), d.link.Close()); err != nil {
		return nil, err
	}
	n.log.Info("device removed", "service", d.Service, "name", d.Name)
	errs := []error{n.drop(d.Service, out)}
	for _, name := range out.Logs {
		errs = append(errs, n.store.Drop(ctx, logstore.LogID{Service: d.Service, Name: name}))
	}
	return out, errors.Join(errs...)
}

// copiesOf returns the names of the logs of a service that this node's store has.
func (n *Node) copiesOf(ctx context.Context, id edgeistry.ServiceID) ([]string, error) {
	all, err := n.store.Logs(ctx)
	names := []string{}
	for _, log := range all {
		if log.Service == id {
			names = append(names, log.Name)
		}
	}
	return names, err
}

// RenameDevice gives a device another local name. Its capabilities in the keychain go with it: OLD/anna becomes NEW/anna. It
// may be repeated after it was interrupted: the new names stand before the old ones go.
func (n *Node) RenameDevice(ctx context.Context, r api.RenameDeviceRequest) (*api.Renamed, error) {
	_, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	n.claims.Lock()
	defer n.claims.Unlock()
	d, err := n.deviceNamed(r.Device)
	if err != nil {
		return nil, err
	}
	if err := edgeistry.CheckName(r.Name); err != nil {
		return nil, api.Errorf(api.Usage, "name: %v", err)
	}
	out := &api.Renamed{Service: d.Service.String(), Name: r.Name, Before: d.Name, Capabilities: []string{}}
	if id, err := edgeistry.ParseServiceID(r.Device); err != nil || id != d.Service {
		out.Before = r.Device // the name that was said: a device may have several
	}
	if out.Before == r.Name {
		return out, nil
	}
	moved, err := n.moveNames(d.Service, out.Before, r.Name)
	if err != nil {
		return nil, err
	}
	out.Capabilities = moved
	if out.Before == d.Name { // else it is another of its names
		d.mu.Lock()
		d.Name = r.Name
		kept := d.Device
		d.mu.Unlock()
		if err := n.state.Devices.Save(kept); err != nil {
			return nil, err
		}
	}
	return out, n.dropNames(d.Service, out.Before, moved)
}

// moveNames gives a service a second name, and the capabilities under its first one the same names under the second. It
// returns the new names of those.
func (n *Node) moveNames(id edgeistry.ServiceID, from, to string) ([]string, error) {
	if old, err := n.state.Names.Get(to); err == nil && old != id {
		return nil, &api.Error{Kind: api.Usage, Message: "the name " + to + " stands for " + old.String() + " already", Action: "another name, or edgeistry service forget " + to}
	}
	entries, _ := n.state.Keychain.All() // what is damaged stays where it is
	moved := []string{}
	if err := n.state.Names.Save(to, id); err != nil {
		return nil, api.Errorf(api.Usage, "%v", err)
	}
	for _, e := range entries {
		first, rest, _ := strings.Cut(e.Name, "/")
		if e.Capability.Service != id || first != from && (from != "" || first != id.String()) {
			continue
		}
		if err := n.state.Keychain.Save(to+"/"+rest, e.Capability); err != nil {
			return nil, err
		}
		moved = append(moved, to+"/"+rest)
	}
	return moved, nil
}

// dropNames takes the first names of moveNames out.
func (n *Node) dropNames(id edgeistry.ServiceID, from string, moved []string) error {
	var errs []error
	dir := from
	if from == "" {
		dir = id.String()
	} else {
		errs = append(errs, n.state.Names.Remove(from))
	}
	for _, name := range moved {
		_, rest, _ := strings.Cut(name, "/")
		errs = append(errs, n.state.Keychain.Remove(dir+"/"+rest))
	}
	return errors.Join(errs...)
}

// ForgetService takes a service that this node is not home to out of the names and the keychain.
func (n *Node) ForgetService(ctx context.Context, r api.ForgetServiceRequest) (*api.Forgotten, error) {
	_, leave, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	n.claims.Lock()
	defer n.claims.Unlock()
	if r.Service == "" {
		return nil, api.Errorf(api.Usage, "service is missing")
	}
	id, err := n.service(r.Service)
	if err != nil {
		return nil, err
	}
	byName := r.Service != id.String()
	d := n.device(id)
	switch {
	case id == n.state.Keys.Own().ID:
		return nil, api.Errorf(api.Usage, "%s is this node's own service", r.Service)
	case d != nil && (!byName || r.Service == d.Name):
		return nil, &api.Error{Kind: api.Usage, Message: r.Service + " is a device of this node", Action: "edgeistry device rm " + r.Service}
	}
	out, err := n.known(id, func(name string) bool { return !byName || name == r.Service })
	if err != nil {
		return nil, err
	}
	if d == nil && (!byName || n.lastName(id, r.Service)) {
		if err := n.unused(id); err != nil {
			return nil, err
		}
		_, err := n.state.Keys.Get(id)
		out.Key = err == nil
	}
	if out.Preview = r.Preview; r.Preview {
		return out, nil
	}
	return out, n.drop(id, out)
}

// lastName reports whether a service has no local name but this one.
func (n *Node) lastName(id edgeistry.ServiceID, name string) bool {
	names, err := n.state.Names.All()
	for other, of := range names {
		if of == id && other != name {
			return false
		}
	}
	return err == nil
}

// known returns the local names of a service and its capabilities in the keychain, of those names for which wanted is true;
// capabilities may stand under the service's ID as well.
func (n *Node) known(id edgeistry.ServiceID, wanted func(name string) bool) (*api.Forgotten, error) {
	out := &api.Forgotten{Service: id.String(), Names: []string{}, Capabilities: []string{}, Logs: []string{}, Kept: []string{}}
	names, err := n.state.Names.All()
	if err != nil {
		return nil, err
	}
	for name, of := range names {
		if of == id && wanted(name) {
			out.Names = append(out.Names, name)
		}
	}
	slices.Sort(out.Names)
	entries, _ := n.state.Keychain.All() // a damaged one cannot be known to be of this service
	for _, e := range entries {
		first, _, _ := strings.Cut(e.Name, "/")
		if e.Capability.Service == id && wanted(first) {
			out.Capabilities = append(out.Capabilities, e.Name)
		}
	}
	return out, nil
}

// drop deletes what known found, and the key if that goes too.
func (n *Node) drop(id edgeistry.ServiceID, what *api.Forgotten) error {
	var errs []error
	for _, name := range what.Capabilities {
		if err := n.state.Keychain.Remove(name); !errors.Is(err, state.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	for _, name := range what.Names {
		errs = append(errs, n.state.Names.Remove(name))
	}
	if what.Key {
		n.keys.Lock()
		errs = append(errs, n.state.Keys.Remove(id))
		n.keys.Unlock()
	}
	n.caller.Forget(id)
	return errors.Join(errs...)
}

// unused refuses to let a service go that a function of this node reads from.
func (n *Node) unused(id edgeistry.ServiceID) error {
	for _, f := range n.functions.List() {
		if f.On.Service == id {
			return &api.Error{
				Kind: api.Usage, Message: "the function " + f.Name + " runs on its log " + f.On.Name,
				Action: "edgeistry fn rm " + f.Name,
			}
		}
	}
	return nil
}

// deviceNamed returns the device that an ID or a local name stands for.
func (n *Node) deviceNamed(nameOrID string) (*device, error) {
	if nameOrID == "" {
		return nil, api.Errorf(api.Usage, "device is missing")
	}
	id, err := n.service(nameOrID)
	if err != nil {
		return nil, err
	}
	if d := n.device(id); d != nil {
		return d, nil
	}
	e := &api.Error{Kind: api.NotFound, Message: nameOrID + " is no device of this node", Action: "edgeistry device ls"}
	if id != n.state.Keys.Own().ID {
		e.Action += "; for a service of others: edgeistry service forget " + nameOrID
	}
	return nil, e
}
