// Package keychain chooses the capabilities that prove a request: those that the caller gave as text or by name, or else the
// one of the keychain that fits best. It knows no files, no names of services and no API: its errors are of its own type and
// hold IDs.
package keychain

import (
	"errors"
	"strings"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
)

// Given is the name of a capability that came as text.
const Given = "(given)"

// textPrefix begins the text of each capability. No name begins with it, because a name has a slash and a text has none.
const textPrefix = "ecap1_"

// Entry is a capability and the name under which it is kept.
type Entry struct {
	Name       string
	Capability *capability.Capability
}

// Store holds capabilities under names.
type Store interface {
	// Get returns the capability of that name. It returns an *Error of kind NotFound if there is none.
	Get(name string) (*capability.Capability, error)
	// All returns every capability that can be read, in order of name. The error joins what is wrong with the others.
	All() ([]Entry, error)
}

// Endings says what is over of the services that this node owns.
type Endings interface {
	// Ended returns why a capability is over. The empty string means that it is not, as far as is known here.
	Ended(c *capability.Capability) string
	// EpochOver returns the epoch of a service that was ended here, if the service has not confirmed the next one.
	EpochOver(id edgeistry.ServiceID) (epoch uint16, over bool)
}

// Chain chooses capabilities from a store. Many goroutines may use it.
type Chain struct {
	Store   Store
	Endings Endings
}

// Chosen is a capability, its name in the store, and what else proves a request together with it.
type Chosen struct {
	*capability.Capability
	Name       string
	Also       []*capability.Capability
	Discharges []*capability.Discharge
	Private    bool
}

// Request returns what the caller sends to prove m by all of it.
func (w *Chosen) Request(m *coap.Message, mirror bool) client.Request {
	return client.Request{Message: m, Mirror: mirror, Also: w.Also, Discharges: w.Discharges, Private: w.Private}
}

// MirrorHalf returns the same proof for the copy of a service at its home node: the mirror half of each capability. It returns
// false if one of them has none.
func (w *Chosen) MirrorHalf() (Chosen, bool) {
	out := *w
	out.Also = nil
	if out.Capability = Half(w.Capability, true); out.Capability == nil {
		return Chosen{}, false
	}
	for _, c := range w.Also {
		m := Half(c, true)
		if m == nil {
			return Chosen{}, false
		}
		out.Also = append(out.Also, m)
	}
	return out, true
}

// Proof is what a caller named to prove a request. Each capability is a text or a name.
type Proof struct {
	Capability string   // "": the best match
	Also       []string // prove the request together with it
	Discharges []string // texts
	Private    bool
}

// Prove returns everything that is to prove a request to a service. mirror says that its home node answers for it.
func (k Chain) Prove(p Proof, id edgeistry.ServiceID, mirror bool) (Chosen, error) {
	out, err := k.Choose(p.Capability, id, mirror)
	if err != nil {
		return out, err
	}
	if len(p.Also) >= capability.MaxParts {
		return out, &Error{Kind: TooMany, Service: id, Count: 1 + len(p.Also)}
	}
	for _, given := range p.Also {
		if given == "" {
			return out, &Error{Kind: Empty, Service: id}
		}
		c, err := k.Choose(given, id, mirror)
		if err != nil {
			return out, err
		}
		out.Also = append(out.Also, c.Capability)
	}
	for _, text := range p.Discharges {
		d, err := capability.ParseDischarge(text)
		if err != nil {
			return out, &Error{Kind: BadDischarge, Service: id, Cause: err}
		}
		out.Discharges = append(out.Discharges, d)
	}
	out.Private = p.Private
	return out, nil
}

// Choose returns the capability for a request to a service: the given one, or, if none is given, the best match of the store.
// A request to a home node's copy needs one of the mirror branch, or the mirror half of another one.
func (k Chain) Choose(given string, id edgeistry.ServiceID, mirror bool) (Chosen, error) {
	if given == "" {
		return k.best(id, mirror)
	}
	c, err := k.Find(given)
	if err != nil {
		return Chosen{}, err
	}
	if c.Service != id {
		return Chosen{}, &Error{Kind: Foreign, Service: id, Of: c.Service}
	}
	if mirror {
		if c.Capability = Half(c.Capability, true); c.Capability == nil {
			return Chosen{}, &Error{Kind: NoMirrorHalf, Service: id}
		}
	}
	return c, nil
}

// Find returns the capability that a text holds, or that is kept under a name.
func (k Chain) Find(given string) (Chosen, error) {
	if strings.HasPrefix(given, textPrefix) {
		c, err := capability.Parse(given)
		if err != nil {
			return Chosen{}, &Error{Kind: BadText, Cause: err}
		}
		return Chosen{Capability: c, Name: Given}, nil
	}
	c, err := k.Store.Get(given)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return Chosen{}, e
		}
		return Chosen{}, &Error{Kind: BadEntry, Cause: err}
	}
	return Chosen{Capability: c, Name: given}, nil
}

// NameOf returns the name under which the store keeps a capability, or "".
func (k Chain) NameOf(c *capability.Capability) string {
	entries, _ := k.Store.All() // a damaged one is not this one
	for _, e := range entries {
		if e.Capability.Text() == c.Text() {
			return e.Name
		}
	}
	return ""
}

// best returns the capability of the store that allows most of a service, among those that are not over. Of two that allow as
// much it is the first in order of name.
func (k Chain) best(id edgeistry.ServiceID, mirror bool) (Chosen, error) {
	entries, bad := k.Store.All()
	var best Chosen
	var over []Over
	for _, e := range entries {
		c := Half(e.Capability, mirror)
		if c == nil || c.Service != id {
			continue
		}
		if why := k.Endings.Ended(c); why != "" {
			over = append(over, Over{Name: e.Name, Why: why})
			continue
		}
		if best.Capability == nil || wider(c, best.Capability) {
			best = Chosen{Capability: c, Name: e.Name}
		}
	}
	if best.Capability != nil {
		return best, nil
	}
	if epoch, ended := k.Endings.EpochOver(id); ended {
		return Chosen{}, &Error{Kind: EpochOver, Service: id, Epoch: epoch}
	}
	return Chosen{}, &Error{Kind: None, Service: id, Mirror: mirror, Over: over, Cause: bad}
}

// Half returns what of a capability is for the mirror, or for the service itself. It returns nil if there is nothing.
func Half(c *capability.Capability, mirror bool) *capability.Capability {
	switch {
	case (c.Header.Branch == capability.BranchMirror) == mirror:
		return c
	case mirror:
		return c.Mirror()
	}
	return nil
}

// wider guesses which of two capabilities for a service allows more: the owner's branch first, then the one that was narrowed
// fewer times.
func wider(a, b *capability.Capability) bool {
	if owner := a.Header.Branch == capability.BranchOwner; owner != (b.Header.Branch == capability.BranchOwner) {
		return owner
	}
	return len(a.Frames) < len(b.Frames)
}
