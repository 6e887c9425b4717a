// Package edgeistry holds the nouns that every part shares: service IDs, manifests, log heads and
// entries. It does no I/O and imports no host, network or disk.
package edgeistry

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/multiformats/go-multibase"
	"github.com/multiformats/go-multicodec"
)

// ServiceID names a nanoservice for ever: it is the service's Ed25519 public key. It prints as a
// CIDv1 libp2p-key in base36 ("k51..."), the form of IPNS names.
type ServiceID [ed25519.PublicKeySize]byte

// ErrServiceID reports that a text is not a service ID.
var ErrServiceID = errors.New("not a service ID (k51...)")

// MaxServiceIDText bounds the text form before it is decoded, in bytes.
const MaxServiceIDText = 96

// serviceIDPrefix stands before the key in the binary form of a service ID: a CIDv1 of codec
// libp2p-key, then an identity multihash of 36 bytes, which hold the key as a protobuf message:
// field 1 is the type, Ed25519, and field 2 is the data of 32 bytes (CID specification; libp2p,
// "Peer IDs and Keys").
var serviceIDPrefix = []byte{
	byte(multicodec.Cidv1), byte(multicodec.Libp2pKey),
	byte(multicodec.Identity), 4 + ed25519.PublicKeySize,
	0x08, 0x01, 0x12, ed25519.PublicKeySize,
}

// ParseServiceID reads the text form that String returns, and no other form of the same CID.
func ParseServiceID(text string) (ServiceID, error) {
	if len(text) > MaxServiceIDText || len(text) < 3 || text[0] != multibase.Base36 {
		return ServiceID{}, ErrServiceID
	}
	// Base36 has one text for each string of bytes, but for the case of the letters: a zero in
	// front would be a byte in front.
	if strings.ContainsAny(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		return ServiceID{}, ErrServiceID
	}
	_, b, err := multibase.Decode(text)
	if err != nil {
		return ServiceID{}, ErrServiceID
	}
	raw, ok := bytes.CutPrefix(b, serviceIDPrefix)
	if !ok || len(raw) != len(ServiceID{}) {
		return ServiceID{}, ErrServiceID
	}
	return ServiceID(raw), nil
}

// ServiceIDFromBytes reads the 32 raw bytes of the public key.
func ServiceIDFromBytes(raw []byte) (ServiceID, error) {
	if len(raw) != len(ServiceID{}) {
		return ServiceID{}, fmt.Errorf("service ID of %d bytes, want %d", len(raw), len(ServiceID{}))
	}
	return ServiceID(raw), nil
}

// String returns the base36 CIDv1 form.
func (id ServiceID) String() string {
	text, err := multibase.Encode(multibase.Base36, append(bytes.Clone(serviceIDPrefix), id[:]...))
	if err != nil {
		panic(err) // cannot happen: multibase knows base36
	}
	return text
}

// Hint is the first 4 bytes of the SHA-256 of the key: what a constrained device keeps of its own
// service ID.
func (id ServiceID) Hint() [4]byte {
	sum := sha256.Sum256(id[:])
	return [4]byte(sum[:4])
}

// MarshalText lets service IDs be JSON strings and YAML values.
func (id ServiceID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseServiceID.
func (id *ServiceID) UnmarshalText(text []byte) error {
	parsed, err := ParseServiceID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// MaxName bounds the names of logs and functions, in bytes.
const MaxName = 31

// CheckName reports what is wrong with the name of a log or function: 1 to 31 bytes of a-z 0-9 - _
// . and no dot first.
func CheckName(name string) error {
	if len(name) == 0 || len(name) > MaxName {
		return fmt.Errorf("name %.40q must have 1 to %d characters", name, MaxName)
	}
	if name[0] == '.' {
		return fmt.Errorf("name %q must not start with a dot", name)
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return fmt.Errorf("name %q may have a-z 0-9 - _ . only", name)
		}
	}
	return nil
}

// Manifest is what a service offers.
type Manifest struct {
	Board     string         `json:"board,omitempty"`    // "ATmega328P", "posix", "node"
	Firmware  string         `json:"firmware,omitempty"` // "greenhouse/1.0"
	Logs      []LogInfo      `json:"logs,omitempty"`
	Functions []FunctionInfo `json:"functions,omitempty"`
}

// LogInfo describes a log in a manifest.
type LogInfo struct {
	Name   string `json:"name"`
	Period uint32 `json:"period,omitempty"` // seconds between entries that come by themselves; 0: none do
	Size   uint32 `json:"size,omitempty"`   // bytes of an entry; 0: any
}

// FunctionInfo describes a function in a manifest.
type FunctionInfo struct {
	Name     string `json:"name"`
	Argument string `json:"argument,omitempty"` // "u8:0..100"
}

// HashSize is the length of a chain hash in bytes; docs/spec/log.md says why.
const HashSize = 16

// Hash is a place in a log's hash chain.
type Hash [HashSize]byte

// Place names an entry of a log. Sequence counts from 1 within an incarnation; 0 is the place
// before the first.
type Place struct {
	Incarnation uint32 `json:"incarnation"`
	Sequence    uint32 `json:"sequence"`
}

// Head is the newest place of a log, the oldest sequence still kept (of the same incarnation) and
// the chain's hash.
type Head struct {
	Place
	Oldest uint32 `json:"oldest"`
	Hash   Hash   `json:"hash"`
}

// ChainHash returns h(n) of docs/spec/log.md: the hash of the entry at place, after prev.
func ChainHash(hint [4]byte, log string, at Place, prev Hash, payload []byte) Hash {
	b := make([]byte, 0, 64+len(payload))
	b = append(b, 0x20)
	b = append(b, hint[:]...)
	b = append(b, byte(len(log)))
	b = append(b, log...)
	b = binary.BigEndian.AppendUint32(b, at.Incarnation)
	b = binary.BigEndian.AppendUint32(b, at.Sequence)
	b = append(b, prev[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	b = append(b, payload...)
	sum := sha256.Sum256(b)
	return Hash(sum[:HashSize])
}
