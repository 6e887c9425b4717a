package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

// cellRecord is where the store keeps which chain a cell of a service was given to: epoch u16 | identity (8). A service tells nobody
// what its cells hold, so who reserves remembers.
func cellRecord(id edgeistry.ServiceID, cell uint8) string {
	return fmt.Sprintf("cells/%s/%d", id, cell)
}

// Reserve assigns a service's cells to the counts of a capability.
func (n *Node) Reserve(ctx context.Context, r api.ReserveRequest) (*api.ReserveResult, error) {
	c, err := n.chain().Find(r.Capability)
	if err != nil {
		return nil, err
	}
	key, err := n.state.Keys.Get(c.Service)
	if errors.Is(err, state.ErrNotFound) {
		return nil, &api.Error{Kind: api.Denied, Message: fmt.Sprintf("this home does not own %s: only its owner can reserve", n.nameOf(c.Service))}
	}
	if err != nil {
		return nil, err
	}
	h := c.Header
	list, ok := c.Reservations(key.EpochKey.Branch(h.Epoch, h.Branch, h.Generation))
	switch {
	case !ok || h.Epoch != key.Epoch:
		return nil, api.Errorf(api.Usage, "the capability is not of the key that this home has for %s", n.nameOf(c.Service))
	case len(list) == 0:
		return nil, api.Errorf(api.Usage, "no frame of the capability counts: there is nothing to reserve")
	}
	out := &api.ReserveResult{Service: c.Service.String()}
	used := map[uint8]int{}
	held := make([]bool, len(list))
	for i, want := range list {
		if other := used[want.Count.Cell]; other != 0 {
			return nil, api.Errorf(api.Usage, "frames %d and %d both count in cell %d: one cell counts for one frame", other, want.Frame, want.Count.Cell)
		}
		used[want.Count.Cell] = want.Frame
		raw, err := n.store.Get(ctx, cellRecord(c.Service, want.Count.Cell))
		if err != nil && !errors.Is(err, logstore.ErrNotFound) {
			return nil, err
		}
		record := cellValue(key.Epoch, want.ID)
		held[i] = string(raw) == string(record)
		if len(raw) == len(record) && !held[i] && string(raw[:2]) == string(record[:2]) && !r.Force {
			return nil, &api.Error{
				Kind: api.Denied, Message: fmt.Sprintf("cell %d of %s counts for another capability", want.Count.Cell, n.nameOf(c.Service)),
				Action: "another --cell when the capability is made, or --force, after which the other one is denied",
			}
		}
	}
	for i, want := range list {
		if err := n.reserve(ctx, key, want, r.TimeoutMS); err != nil {
			return nil, err
		}
		out.Cells = append(out.Cells, api.Cell{Frame: want.Frame, Cell: want.Count.Cell, Times: want.Count.N, Reserved: !held[i]})
	}
	return out, nil
}

func cellValue(epoch uint16, id capability.Identity) []byte {
	return append(binary.BigEndian.AppendUint16(nil, epoch), id[:]...)
}

// reserve asks the service for one cell, under the owner's capability. The record is written first: a cell that nobody remembers could be taken
// from its capability by mistake.
func (n *Node) reserve(ctx context.Context, key *state.ServiceKey, want capability.Reservation, timeoutMS int) error {
	if err := n.store.Put(ctx, cellRecord(key.ID, want.Count.Cell), cellValue(key.Epoch, want.ID)); err != nil {
		return err
	}
	res, err := n.call(ctx, n.targetOf(key.ID), api.CallRequest{
		Method: "POST", Path: "/n", Payload: want.ID.Reserve(want.Count.Cell),
		Capability: key.Owner().Text(), TimeoutMS: timeoutMS,
	})
	if err != nil {
		return err
	}
	if err := res.Err(); err != nil {
		return err
	}
	if res.Tagged {
		n.caller.Forget(key.ID) // sessions that are open do not know of the cell
		return nil
	}
	return api.Errorf(api.Failed, "%s did not prove that cell %d is reserved", n.nameOf(key.ID), want.Count.Cell)
}
