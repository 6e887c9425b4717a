package dht

import (
	"bytes"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"

	"github.com/edgeistry/edgeistry"
)

// Limits of a record (docs/spec/record.md).
const (
	MaxValue    = 4096             // bytes of a sealed record
	MaxSequence = 1 << 53          // highest sequence number
	MaxValidity = 48 * time.Hour   // longest time from not before to expiry
	MaxSkew     = 10 * time.Minute // how far not before may lie in the reader's future
	MaxHomes    = 4                // home nodes
	MaxAddrs    = 8                // addresses of a home node
	MaxAddr     = 256              // bytes of an address
	MaxText     = 64               // bytes of board, firmware and argument texts
	MaxLogs     = 16               // logs in a manifest
	MaxFuncs    = 16               // functions in a manifest
	maxPeerID   = 64               // bytes of a peer ID
	validity    = 24 * time.Hour   // of a record published without an expiry
)

// Namespace is the first part of the DHT keys of service records.
const Namespace = "edg"

// envelopeDomain separates signatures over service records from all others made with the same key.
const envelopeDomain = "edgeistry-service-record"

// payloadType marks an envelope's payload as a service record: "edg" and the version of the record.
var payloadType = []byte{'e', 'd', 'g', recordVersion}

// Record is a service record: who speaks for a service and where. Times have a resolution of a
// second.
type Record struct {
	Service   edgeistry.ServiceID
	Sequence  uint64 // the higher one replaces the lower
	NotBefore time.Time
	Expiry    time.Time
	Homes     []peer.AddrInfo // 1 to 4, best first; a home without addresses is found by its peer ID
	Manifest  edgeistry.Manifest
	Duty      *Duty         // nil: awake always
	MaxAge    time.Duration // how long answers of the service may be cached
}

// Duty is the rhythm of a service that sleeps: from NextWake on it is awake for Window in every
// Period.
type Duty struct {
	Period   time.Duration
	Window   time.Duration
	NextWake time.Time
}

// Key returns the DHT key of a service's record: /edg/ and the 32 bytes of the public key.
func Key(id edgeistry.ServiceID) string { return "/" + Namespace + "/" + string(id[:]) }

// ServiceOf is the inverse of Key.
func ServiceOf(key string) (edgeistry.ServiceID, error) {
	const prefix = "/" + Namespace + "/"
	if len(key) != len(prefix)+len(edgeistry.ServiceID{}) || key[:len(prefix)] != prefix {
		return edgeistry.ServiceID{}, ErrKey
	}
	return edgeistry.ServiceID([]byte(key[len(prefix):])), nil
}

// Valid reports whether the record's time has come and has not passed: nil, ErrNotYetValid or
// ErrExpired.
func (r *Record) Valid(now time.Time) error {
	if r.NotBefore.After(now.Add(MaxSkew)) {
		return fmt.Errorf("%w: from %s", ErrNotYetValid, r.NotBefore.UTC().Format(time.RFC3339))
	}
	if !now.Before(r.Expiry) {
		return fmt.Errorf("%w: at %s", ErrExpired, r.Expiry.UTC().Format(time.RFC3339))
	}
	return nil
}

// isKeyOf reports whether pub is the service's key.
func isKeyOf(id edgeistry.ServiceID, pub crypto.PubKey) bool {
	raw, err := pub.Raw()
	return err == nil && pub.Type() == crypto.Ed25519 && bytes.Equal(raw, id[:])
}

// Seal signs a record with the service's key and gives the value that is put in the DHT.
func Seal(priv crypto.PrivKey, rec Record) ([]byte, error) {
	if !isKeyOf(rec.Service, priv.GetPublic()) {
		return nil, ErrSigner
	}
	payload, err := encodePayload(rec)
	if err != nil {
		return nil, err
	}
	envelope, err := record.Seal(&sealed{payload: payload}, priv)
	if err != nil {
		return nil, fmt.Errorf("sign record: %w", err)
	}
	value, err := envelope.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode envelope: %w", err)
	}
	if len(value) > MaxValue {
		return nil, fmt.Errorf("%w: %d bytes", ErrOversized, len(value))
	}
	return value, nil
}

// Open checks everything about a value found under a DHT key, at a time, and gives the record in
// it.
func Open(key string, value []byte, now time.Time) (Record, error) {
	rec, err := openAnyTime(key, value)
	if err != nil {
		return Record{}, err
	}
	if err := rec.Valid(now); err != nil {
		return Record{}, err
	}
	return rec, nil
}

// openAnyTime is Open without the check of the times, for records that this node checked and stored
// before.
func openAnyTime(key string, value []byte) (Record, error) {
	if len(value) > MaxValue {
		return Record{}, fmt.Errorf("%w: %d bytes", ErrOversized, len(value))
	}
	id, err := ServiceOf(key)
	if err != nil {
		return Record{}, err
	}
	envelope, err := record.UnmarshalEnvelope(value)
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	if !isKeyOf(id, envelope.PublicKey) {
		return Record{}, ErrSigner
	}
	if !bytes.Equal(envelope.PayloadType, payloadType) {
		return Record{}, ErrPayloadType
	}
	// The signature covers the payload and not the envelope's own encoding: only the encoding that
	// Marshal returns is taken, or anybody could make other values of the same record.
	if again, err := envelope.Marshal(); err != nil || !bytes.Equal(again, value) {
		return Record{}, fmt.Errorf("%w: not in its only encoding", ErrEnvelope)
	}
	var box sealed
	if _, err := record.ConsumeTypedEnvelope(value, &box); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	rec, err := decodePayload(box.payload)
	if err != nil {
		return Record{}, err
	}
	if rec.Service != id {
		return Record{}, fmt.Errorf("%w: service differs from the key", ErrField)
	}
	return rec, nil
}

// sealed is a payload in the form that libp2p's envelopes want. It decodes nothing, so that a
// failure of ConsumeTypedEnvelope is a failure of the signature.
type sealed struct{ payload []byte }

var _ record.Record = (*sealed)(nil)

func (*sealed) Domain() string                   { return envelopeDomain }
func (*sealed) Codec() []byte                    { return payloadType }
func (s *sealed) MarshalRecord() ([]byte, error) { return s.payload, nil }
func (s *sealed) UnmarshalRecord(b []byte) error { s.payload = b; return nil }
