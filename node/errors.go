package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/dht"
	"github.com/edgeistry/edgeistry/internal/dialerror"
	"github.com/edgeistry/edgeistry/logstore"
	"github.com/edgeistry/edgeistry/mesh"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/keychain"
	"github.com/edgeistry/edgeistry/node/state"
)

// asAPIError returns the API's form of any error. Services are called by their local names.
func (n *Node) asAPIError(err error) *api.Error { return errorWith(err, n.nameOf) }

// problemOf returns the text of an error for people, without what they should do. Services are called by their local names.
func (n *Node) problemOf(err error) string { return n.asAPIError(err).Message }

// asAPIError returns the API's form of any error. Services are called by their IDs.
func asAPIError(err error) *api.Error { return errorWith(err, edgeistry.ServiceID.String) }

func errorWith(err error, nameOf func(edgeistry.ServiceID) string) *api.Error {
	var e *api.Error
	if errors.As(err, &e) {
		return inWords(e)
	}
	var unproved *keychain.Error
	if errors.As(err, &unproved) {
		return ofKeychain(unproved, nameOf)
	}
	e = &api.Error{Kind: api.Failed, Message: dialerror.Words(err.Error())}
	var conflict *logstore.ConflictError
	var corrupt *logstore.CorruptError
	var homes *mesh.HomesError
	var node *mesh.NodeError
	switch {
	case errors.As(err, &homes):
		return inWords(&api.Error{Kind: api.NotFound, Message: homes.Summary(), Tried: homes.Tried})
	case errors.As(err, &node):
		e.Kind, e.Message = api.NotFound, dialerror.Words(node.Error())
		if node.Timeout {
			e.Kind = api.Timeout
		}
		if node.Unknown {
			e.Action = "edgeistry status on that node"
		}
	case errors.As(err, &conflict):
		head := api.HeadOf(conflict.Head)
		e.Head = &head
		e.Action = "read the log, then append with the new head"
	case errors.As(err, &corrupt):
		e.Action = "restore the node's state directory from a backup, or read the log from another node that mirrors it"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, coap.ErrTimeout), errors.Is(err, os.ErrDeadlineExceeded):
		e.Kind = api.Timeout
	case errors.Is(err, state.ErrNotFound), errors.Is(err, dht.ErrNotFound), errors.Is(err, dht.ErrExpired),
		errors.Is(err, coap.ErrLinkDown):
		e.Kind = api.NotFound
	case errors.Is(err, logstore.ErrNotKept):
		e.Kind, e.Action = api.NotFound, "read the log without --from: the last line names its head, and entries before the oldest kept are gone"
	case errors.Is(err, logstore.ErrTooLarge), errors.Is(err, logstore.ErrProducer), errors.Is(err, logstore.ErrKind):
		e.Kind = api.Usage
	case errors.Is(err, logstore.ErrStopped), errors.Is(err, syscall.ENOSPC), errors.Is(err, fs.ErrPermission):
		e.Action = "see the node's log; nothing unacknowledged counts as stored"
	}
	return e
}

// problemOf returns the text of an error for people, without what they should do.
func problemOf(err error) string { return asAPIError(err).Message }

// ofKeychain returns the API's form of an error of package keychain.
func ofKeychain(err *keychain.Error, nameOf func(edgeistry.ServiceID) string) *api.Error {
	e := &api.Error{Kind: api.Usage, Message: err.Text(nameOf)}
	switch err.Kind {
	case keychain.NotFound:
		e.Kind, e.Action = api.NotFound, "give an ecap1_ text, or one of the names of edgeistry cap ls"
	case keychain.NoMirrorHalf:
		e.Action = "edgeistry cap mint, which makes pairs, or edgeistry cap mint --mirror"
	case keychain.EpochOver:
		e.Kind, e.Action = api.Denied, "edgeistry cap revocations, and the same again once it says done"
	case keychain.None:
		e.Kind, e.Action = api.Denied, "edgeistry cap import, or --cap with an ecap1_ text"
		if err.Mirror {
			e.Action = "edgeistry cap mint --mirror at the service's owner"
		}
	}
	return e
}

// inWords returns an API error without the Go runtime's own words for time that has run out. It changes a copy, because
// the error may be shared.
func inWords(e *api.Error) *api.Error {
	plain := *e
	plain.Message = dialerror.Words(e.Message)
	plain.Tried = slices.Clone(e.Tried)
	for i, tried := range plain.Tried {
		plain.Tried[i] = dialerror.Words(tried)
	}
	return &plain
}
