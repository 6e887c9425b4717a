package edgeistry

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"github.com/multiformats/go-multibase"
)

// PeerKey is the Ed25519 public key of a libp2p peer. The zero value says that the peer is not
// known.
type PeerKey [ed25519.PublicKeySize]byte

// peerPrefix is what stands before the key in a peer ID: an identity multihash (00, 36 bytes) of
// the key as a protobuf message, type Ed25519 (08 01) and data (12 20); libp2p, "Peer IDs and
// Keys".
var peerPrefix = []byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}

// base58Prefix is how multibase marks base58. A peer ID is base58 without the mark.
const base58Prefix = string(rune(multibase.Base58BTC))

// String returns the peer ID as libp2p prints it: 12D3KooW...
func (p PeerKey) String() string {
	text, err := multibase.Encode(multibase.Base58BTC, append(bytes.Clone(peerPrefix), p[:]...))
	if err != nil {
		panic(err) // cannot happen: multibase knows base58
	}
	return text[len(base58Prefix):]
}

// ParsePeerKey reads what String returns.
func ParsePeerKey(text string) (PeerKey, error) {
	const longest = 64
	if len(text) <= longest {
		if _, b, err := multibase.Decode(base58Prefix + text); err == nil {
			if key, ok := bytes.CutPrefix(b, peerPrefix); ok && len(key) == len(PeerKey{}) {
				if p := PeerKey(key); p.String() == text && p != (PeerKey{}) {
					return p, nil
				}
			}
		}
	}
	return PeerKey{}, fmt.Errorf("peer %.80q is no ID of an Ed25519 key (12D3KooW...)", text)
}
