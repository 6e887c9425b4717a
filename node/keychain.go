package node

import (
	"errors"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/keychain"
	"github.com/edgeistry/edgeistry/node/state"
)

// kept gives package keychain what it asks of the state directory.
type kept struct{ *state.State }

// chain returns what chooses the capabilities of this node's requests.
func (n *Node) chain() keychain.Chain {
	return keychain.Chain{Store: kept{n.state}, Endings: kept{n.state}}
}

func (k kept) Get(name string) (*capability.Capability, error) {
	c, err := k.Keychain.Get(name)
	if errors.Is(err, state.ErrNotFound) {
		return nil, &keychain.Error{Kind: keychain.NotFound, Cause: err}
	}
	return c, err
}

func (k kept) All() ([]keychain.Entry, error) {
	entries, err := k.Keychain.All()
	out := make([]keychain.Entry, len(entries))
	for i, e := range entries {
		out[i] = keychain.Entry(e)
	}
	return out, err
}

// EpochOver returns the epoch that a pending revocation has ended.
func (k kept) EpochOver(id edgeistry.ServiceID) (uint16, bool) {
	known, err := k.Revocations.Get(id)
	if err != nil {
		return 0, false // damaged; the node says so elsewhere
	}
	next, waits := known.Epoch()
	return next.Epoch - 1, waits
}
