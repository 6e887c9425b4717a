package capability

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

const (
	setupPrefix  = "EDGDEV1"
	setupBytes   = 4 + 16 + 2
	setupSymbols = (setupBytes*8 + 4) / 5 // 36; the last 4 bits are 0
	setupGroup   = 4

	// maxSetupText bounds the text of a setup code in characters, dashes and spaces included.
	maxSetupText = 128
)

// errSetupCode reports that a text is no setup code.
var errSetupCode = errors.New("not a setup code (EDGDEV1-...)")

// SetupCode is what a device's label carries: who has it, and the wire, can claim the device.
type SetupCode struct {
	ID   [4]byte
	Seed [16]byte
}

// crockford is the alphabet without I, L, O, U.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// NewSetupCode draws the identity and the factory seed of a new device.
func NewSetupCode(random io.Reader) (SetupCode, error) {
	var c SetupCode
	if _, err := io.ReadFull(random, c.ID[:]); err != nil {
		return SetupCode{}, fmt.Errorf("setup code: %w", err)
	}
	if _, err := io.ReadFull(random, c.Seed[:]); err != nil {
		return SetupCode{}, fmt.Errorf("setup code: %w", err)
	}
	return c, nil
}

func (c SetupCode) check() [2]byte {
	b := append([]byte(setupPrefix), c.ID[:]...)
	sum := sha256.Sum256(append(b, c.Seed[:]...))
	return [2]byte(sum[:])
}

// Text returns the code as it is printed on the device: EDGDEV1-4F2K-...
func (c SetupCode) Text() string {
	check := c.check()
	b := append(append(make([]byte, 0, setupBytes), c.ID[:]...), c.Seed[:]...)
	symbols := crockford.EncodeToString(append(b, check[:]...))
	var text strings.Builder
	text.WriteString(setupPrefix)
	for i := 0; i < len(symbols); i += setupGroup {
		text.WriteByte('-')
		text.WriteString(symbols[i:min(i+setupGroup, len(symbols))])
	}
	return text.String()
}

// String names the device without its secret.
func (c SetupCode) String() string { return fmt.Sprintf("setup code of device %x %s", c.ID, redacted) }

// Format keeps the secret out of every verb.
func (c SetupCode) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// ParseSetupCode reads a code as people type, copy and scan it: lower case, O for 0, I and L for 1 (in the prefix too), with
// any dashes, white space and invisible characters (docs/spec/claim.md, Factory).
func ParseSetupCode(text string) (SetupCode, error) {
	if len([]rune(text)) > maxSetupText {
		return SetupCode{}, fmt.Errorf("%w: longer than %d characters", errSetupCode, maxSetupText)
	}
	symbols, ok := strings.CutPrefix(strings.Map(setupSymbol, text), setupPrefix)
	if !ok {
		return SetupCode{}, errSetupCode
	}
	if len(symbols) != setupSymbols {
		return SetupCode{}, fmt.Errorf("%w: %d symbols after %s, want %d", errSetupCode, len(symbols), setupPrefix, setupSymbols)
	}
	b, err := crockford.DecodeString(symbols)
	if err != nil || len(b) != setupBytes || crockford.EncodeToString(b) != symbols {
		return SetupCode{}, fmt.Errorf("%w: a symbol is not of the alphabet", errSetupCode)
	}
	c := SetupCode{ID: [4]byte(b), Seed: [16]byte(b[4:])}
	if check := c.check(); check != [2]byte(b[20:]) {
		return SetupCode{}, fmt.Errorf("%w: a symbol is wrong", errSetupCode)
	}
	return c, nil
}

// setupSymbol returns the symbol that a character of a setup code stands for, or -1 for one that stands for nothing:
// dashes (Unicode Pd, and the minus sign), white space, and invisible characters (Unicode Cf).
func setupSymbol(r rune) rune {
	switch {
	case r == 'O' || r == 'o':
		return '0'
	case r == 'I' || r == 'i' || r == 'L' || r == 'l':
		return '1'
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	case r == minusSign || unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf):
		return -1
	}
	return r
}

const minusSign = '\u2212'

// FactoryKey returns Kf = H(seed, 0B | id): what the device itself keeps of its setup code.
func (c SetupCode) FactoryKey() [32]byte {
	return derive(c.Seed[:], append([]byte{labelFactory}, c.ID[:]...))
}
