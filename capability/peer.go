package capability

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"math/big"
	"strings"
)

// PeerKey is the Ed25519 public key of a libp2p peer. The zero value says that the peer is not known.
type PeerKey [ed25519.PublicKeySize]byte

// peerPrefix is what stands before the key in a peer ID: an identity multihash (00, 36 bytes) of the key as a protobuf message,
// type Ed25519 (08 01) and data (12 20); libp2p, "Peer IDs and Keys".
var peerPrefix = []byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// String gives the peer ID as libp2p prints it: 12D3KooW...
func (p PeerKey) String() string {
	n := new(big.Int).SetBytes(append(bytes.Clone(peerPrefix), p[:]...))
	var text []byte
	digit, radix := new(big.Int), big.NewInt(int64(len(base58)))
	for n.Sign() > 0 {
		n.DivMod(n, radix, digit)
		text = append(text, base58[digit.Int64()])
	}
	text = append(text, base58[0]) // the zero byte in front
	for i, j := 0, len(text)-1; i < j; i, j = i+1, j-1 {
		text[i], text[j] = text[j], text[i]
	}
	return string(text)
}

// ParsePeerKey reads what String gives.
func ParsePeerKey(text string) (PeerKey, error) {
	const longest = 64
	n, radix := new(big.Int), big.NewInt(int64(len(base58)))
	if len(text) <= longest {
		for _, c := range []byte(text) {
			digit := strings.IndexByte(base58, c)
			if digit < 0 {
				n.SetInt64(0)
				break
			}
			n.Add(n.Mul(n, radix), big.NewInt(int64(digit)))
		}
	}
	b := n.Bytes() // without the zero byte in front
	if len(b) == len(peerPrefix)-1+len(PeerKey{}) && bytes.HasPrefix(b, peerPrefix[1:]) {
		if p := PeerKey(b[len(peerPrefix)-1:]); p.String() == text && p != (PeerKey{}) {
			return p, nil
		}
	}
	return PeerKey{}, fmt.Errorf("peer %.80q is no ID of an Ed25519 key (12D3KooW...)", text)
}
