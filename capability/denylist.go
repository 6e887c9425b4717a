package capability

import (
	"crypto/sha256"

	"github.com/edgeistry/edgeistry/coap"
)

// A fingerprint is the first 16 bytes of SHA-256 over header and frames up to one of them, as carried: what a deny list holds.
// Nobody can encode the same permission in another way, and everything narrowed from it begins with the same bytes.

// Fingerprint returns what a deny list holds to end c and everything narrowed from it. The mirror
// half has its own.
func (c *Capability) Fingerprint() [16]byte {
	sum := sha256.Sum256(c.Carried())
	return [16]byte(sum[:])
}

// Fingerprints returns those of every frame of c, so of c and of everything that it was narrowed from.
func (c *Capability) Fingerprints() [][16]byte { return fingerprintsOf(c.Carried()) }

// ShownFingerprints returns those of each part and every frame that a request shows. False: it shows none.
func ShownFingerprints(m *coap.Message) ([][16]byte, bool) {
	carried, ok := carriedForm(m)
	if !ok {
		return nil, false
	}
	return fingerprintsOf(carried), true
}

func fingerprintsOf(carried []byte) [][16]byte {
	var parts [MaxParts]part
	n, err := decodeParts(carried, &parts)
	if err != nil {
		return nil
	}
	return fingerprints(parts[:n])
}

func fingerprints(parts []part) [][16]byte {
	var list [][16]byte
	for i := range parts {
		end := headerSize
		for _, f := range parts[i].frames[:parts[i].nframes] {
			end += 1 + len(f)
			sum := sha256.Sum256(parts[i].bytes[:end])
			list = append(list, [16]byte(sum[:]))
		}
	}
	return list
}

// denyListed looks the parts up in the deny list, if there is one, and gives their fingerprints.
func (g *Guard) denyListed(parts []part) (list [][16]byte, denied bool) {
	if g.cfg.Denied == nil {
		return nil, false
	}
	list = fingerprints(parts)
	for _, f := range list {
		denied = denied || g.cfg.Denied(f)
	}
	return list, denied
}
