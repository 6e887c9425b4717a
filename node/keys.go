package node

import (
	"errors"
	"fmt"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/state"
)

// raised is called when a branch of a service has a higher generation: by the node's own service before it goes by it, and for
// another one when it has confirmed it or the owner has ended the one before. It keeps the generation and renews what this home
// holds of the service; without the service's key it does nothing. kept says that the next start finds the generation, which may
// be so even where something failed.
func (n *Node) raised(id edgeistry.ServiceID, branch, generation uint8) (kept bool, err error) {
	n.keys.Lock()
	defer n.keys.Unlock()
	key, err := n.state.Keys.Get(id)
	switch {
	case errors.Is(err, state.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	case branch > capability.BranchMirror:
		return false, nil
	}
	if generation > key.Generations[branch] {
		key.Generations[branch] = generation
		err = n.state.Keys.Save(key)
	}
	if err == nil {
		err = n.renewFor(key)
	}
	now, rerr := n.state.Keys.Get(id)
	return rerr == nil && now.Generations[branch] == generation, err
}

// advanced is called when a service begins the next epoch: by the node's own service before it goes by it, and for another one
// when it has confirmed it. It keeps the epoch's key and renews what this home holds of the service. It returns the key if the
// next start finds it, which may be so even where something failed.
func (n *Node) advanced(id edgeistry.ServiceID, epoch uint16, secret [32]byte) (*state.ServiceKey, error) {
	n.keys.Lock()
	defer n.keys.Unlock()
	key, err := n.state.Keys.Get(id)
	if err != nil {
		return nil, err
	}
	if key.Epoch+1 != epoch {
		return nil, fmt.Errorf("epoch %d does not follow epoch %d", epoch, key.Epoch)
	}
	next := key.Next(secret)
	if err = n.state.Keys.Save(next); err == nil {
		err = n.renewFor(next)
	}
	if now, rerr := n.state.Keys.Get(id); rerr == nil && now.Epoch == epoch {
		return now, err
	}
	return nil, err
}

// renew renews what this home holds of an owned service.
func (n *Node) renew(id edgeistry.ServiceID) error {
	n.keys.Lock()
	defer n.keys.Unlock()
	key, err := n.state.Keys.Get(id)
	if err != nil {
		return err
	}
	return n.renewFor(key)
}

// renewFor makes everything anew that this home holds of a service, as far as it is not of the key's generations and epoch: the
// owner's capability in the keychain, the node's own for its device, the keys by which the device's copy is checked. The caller
// holds keys.
func (n *Node) renewFor(key *state.ServiceKey) error {
	if err := n.state.Keychain.RenewOwner(key); err != nil {
		return err
	}
	if d := n.device(key.ID); d != nil {
		return d.renew(key)
	}
	return nil
}
