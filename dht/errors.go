package dht

import "errors"

// What is wrong with a record. Open and Validator return exactly one of them, wrapped with the
// detail.
var (
	ErrOversized    = errors.New("record is larger than 4096 bytes")
	ErrKey          = errors.New("not a service record key")
	ErrEnvelope     = errors.New("malformed envelope")
	ErrSigner       = errors.New("record signed by another key than the service's")
	ErrPayloadType  = errors.New("payload is not a service record")
	ErrSignature    = errors.New("bad signature")
	ErrVersion      = errors.New("unknown record version")
	ErrEncoding     = errors.New("malformed record")
	ErrUnknownKey   = errors.New("unknown key in record")
	ErrDuplicateKey = errors.New("repeated key in record")
	ErrField        = errors.New("field of the record out of bounds")
	ErrNotYetValid  = errors.New("record is not valid yet")
	ErrExpired      = errors.New("record has expired")
	ErrRollback     = errors.New("a newer record of the service is known")
)

// What callers of a Registry decide on, besides ErrExpired and ErrRollback.
var (
	// ErrNotFound reports that no node asked has a record of the service.
	ErrNotFound = errors.New("service not found")
	// ErrMesh reports that a text is not a mesh name.
	ErrMesh = errors.New("mesh name must have 1 to 63 characters a-z 0-9 - and start and end with a letter or digit")
	// ErrClosed reports that the registry was closed.
	ErrClosed = errors.New("registry is closed")
	// ErrFull reports that the store of other nodes' records is full.
	ErrFull = errors.New("record store is full")
)

// Why the store refuses a record besides ErrFull.
var (
	errPeerQuota = errors.New("the node has put as many records here as one may")
	errAddrQuota = errors.New("nodes at this address have put as many records here as they may")
)
