package capability

import "fmt"

// Also demands that another capability proves the request too, of that branch, and with that nonce if it has one.
type Also struct {
	Branch   uint8
	HasNonce bool
	Nonce    [4]byte
}

// parseAlso reads branch u8, or branch u8 | nonce (4).
func parseAlso(v []byte) (Also, error) {
	var a Also
	switch len(v) {
	case 5:
		a.HasNonce, a.Nonce = true, [4]byte(v[1:])
	case 1:
	default:
		return Also{}, errConstraint
	}
	a.Branch = v[0]
	return a, a.Check()
}

// Check reports whether there can be such a capability.
func (a Also) Check() error {
	if a.Branch > BranchMirror {
		return fmt.Errorf("branch %d: %w", a.Branch, errConstraint)
	}
	return nil
}

func (a Also) encode() []byte {
	if a.HasNonce {
		return append([]byte{a.Branch}, a.Nonce[:]...)
	}
	return []byte{a.Branch}
}

func (a Also) describe() string {
	if a.HasNonce {
		return fmt.Sprintf("together with capability %x of branch %d", a.Nonce, a.Branch)
	}
	return fmt.Sprintf("together with a capability of branch %d", a.Branch)
}

// among reports whether one of the parts but that at own is such a capability.
func (a Also) among(parts []part, own int) bool {
	for i := range parts {
		if h := &parts[i].header; i != own && h.Branch == a.Branch && (!a.HasNonce || h.Nonce == a.Nonce) {
			return true
		}
	}
	return false
}
