package capability

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	dischargeKind     = "edis1"
	maxDischargeBytes = 4 + 4 + 1 + maxFrame + keySize + checkSize

	// maxDischargeText bounds the text of a discharge in bytes.
	maxDischargeText = len(dischargeKind+"_") + (maxDischargeBytes*8+5)/6
)

// errDischarge reports that a text is no discharge.
var errDischarge = errors.New("not a discharge (edis1_...)")

// Discharge is the word of a guard: whoever holds it can open sessions with capabilities that demand it, as long as its frame
// holds. Text gives it away; everything else that prints it leaves the secret out.
type Discharge struct {
	Guard      [4]byte // hint of the guard's service
	GuardNonce [4]byte
	Frame      Frame // judged as one more frame of the capability that is discharged

	key [keySize]byte // d
}

// Discharge returns the guard's word: c is the capability that the guard shares with whoever
// demanded it. It needs no network.
func (c *Capability) Discharge(spec FrameSpec) (*Discharge, error) {
	f, err := spec.Encode()
	if err != nil {
		return nil, fmt.Errorf("discharge: %w", err)
	}
	for _, l := range spec.Limits {
		if l.Type.once() {
			return nil, fmt.Errorf("discharge: %v has no place in it", l.Type)
		}
	}
	return &Discharge{Guard: c.Header.Hint, GuardNonce: c.Header.Nonce, Frame: f, key: dischargeKey(c.key, f)}, nil
}

// dischargeKey returns d = H(cK, 13 | u8 length | f).
func dischargeKey(ck [keySize]byte, f Frame) [keySize]byte {
	return derive(ck[:], append([]byte{labelDischarge, byte(len(f))}, f...))
}

// binding returns H(d, 11 | ks'), cut to 16 bytes: a discharge for one session.
func binding(d, part [keySize]byte) [bindingSize]byte {
	sum := derive(d[:], append([]byte{labelBind}, part[:]...))
	return [bindingSize]byte(sum[:])
}

// fits reports whether the discharge is for a frame with that demand.
func (d *Discharge) fits(t ThirdParty) bool {
	return d.Guard == t.Guard && d.GuardNonce == t.GuardNonce
}

// Text returns guard hint (4) | guard nonce (4) | u8 length | f | d (32) | check (4) in base64url, with the secret.
func (d *Discharge) Text() string {
	return encodeText(dischargeKind, slices.Concat(d.Guard[:], d.GuardNonce[:], []byte{byte(len(d.Frame))}, d.Frame, d.key[:]))
}

// String names the discharge without its secret.
func (d *Discharge) String() string {
	return fmt.Sprintf("discharge of the guard %x, %s %s", d.Guard, d.Frame.Describe(), redacted)
}

// Format keeps the secret out of every verb.
func (d Discharge) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// ParseDischarge reads what Text gives, and nothing else.
func ParseDischarge(text string) (*Discharge, error) {
	b, err := decodeText(dischargeKind, text, maxDischargeText, errDischarge)
	if err != nil {
		return nil, err
	}
	const fixed = maxDischargeBytes - maxFrame - checkSize
	if len(b) < fixed || b[8] > maxFrame || len(b) != fixed+int(b[8]) {
		return nil, fmt.Errorf("%w: %d bytes", errDischarge, len(b))
	}
	end := 9 + int(b[8])
	return &Discharge{Guard: [4]byte(b), GuardNonce: [4]byte(b[4:]), Frame: b[9:end:end], key: [keySize]byte(b[end:])}, nil
}

// discharged reports whether the discharge of frame k + 1 is what the frame demands.
func (p *part) discharged(k int, c *chain) bool {
	if k >= p.nframes {
		return false
	}
	l := p.frames[k].once()
	if !l.hasThirdParty {
		return false
	}
	d := &p.discharges[k]
	want := binding(dischargeKey(l.thirdParty.mask(c.keys[k]), d.frame), c.ks)
	return hmac.Equal(want[:], d.binding)
}
