package dht

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/libp2p/go-libp2p/core/protocol"
)

// MaxMesh bounds mesh names, in bytes.
const MaxMesh = 63

// CheckMesh reports whether a text can name a mesh: 1 to 63 of a-z 0-9 -, a letter or digit first
// and last. The name becomes a part of protocol IDs, so it has one spelling.
func CheckMesh(name string) error {
	if len(name) == 0 || len(name) > MaxMesh || name[0] == '-' || name[len(name)-1] == '-' {
		return ErrMesh
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return ErrMesh
		}
	}
	return nil
}

// protocolPrefix is what every protocol of the mesh's DHT starts with.
func protocolPrefix(mesh string) protocol.ID { return protocol.ID("/edgeistry/" + mesh) }

// ProtocolID is the protocol that members of a mesh speak: who does not is not in the mesh.
func ProtocolID(mesh string) protocol.ID { return protocolPrefix(mesh) + "/kad/1.0.0" }

// meshOf returns the mesh whose members speak a protocol; false if it is no protocol of a mesh.
func meshOf(proto protocol.ID) (string, bool) {
	rest, ok := strings.CutPrefix(string(proto), "/edgeistry/")
	if !ok {
		return "", false
	}
	mesh, ok := strings.CutSuffix(rest, "/kad/1.0.0")
	return mesh, ok && CheckMesh(mesh) == nil
}

// mdnsService names the mesh in multicast DNS. The name itself stays off the air.
func mdnsService(mesh string) string {
	sum := sha256.Sum256([]byte("edgeistry mdns\x00" + mesh))
	return "_edg-" + hex.EncodeToString(sum[:5]) + "._udp"
}
