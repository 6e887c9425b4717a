package capability

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	setupPrefix  = "EDGDEV1"
	setupBytes   = 4 + 16 + 2
	setupSymbols = (setupBytes*8 + 4) / 5 // 36; the last 4 bits are 0
	setupGroup   = 4

	// MaxSetupText bounds the text of a setup code in bytes, dashes and spaces included.
	MaxSetupText = 128
)

// ErrSetupCode says that a text is no setup code.
var ErrSetupCode = errors.New("not a setup code (EDGDEV1-...)")

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

// Text gives the code as it is printed on the device: EDGDEV1-4F2K-...
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

// ParseSetupCode reads a code as people type it: lower case, O for 0, I and L for 1, any dashes and spaces.
func ParseSetupCode(text string) (SetupCode, error) {
	if len(text) > MaxSetupText {
		return SetupCode{}, fmt.Errorf("%w: longer than %d characters", ErrSetupCode, MaxSetupText)
	}
	compact := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(text))
	symbols, ok := strings.CutPrefix(compact, setupPrefix)
	if !ok {
		return SetupCode{}, ErrSetupCode
	}
	symbols = strings.NewReplacer("O", "0", "I", "1", "L", "1").Replace(symbols)
	if len(symbols) != setupSymbols {
		return SetupCode{}, fmt.Errorf("%w: %d symbols after %s, want %d", ErrSetupCode, len(symbols), setupPrefix, setupSymbols)
	}
	if strings.ContainsAny(symbols, "\r\n") { // the decoder would skip them
		return SetupCode{}, ErrSetupCode
	}
	b, err := crockford.DecodeString(symbols)
	if err != nil || len(b) != setupBytes || crockford.EncodeToString(b) != symbols {
		return SetupCode{}, fmt.Errorf("%w: a symbol is not of the alphabet", ErrSetupCode)
	}
	c := SetupCode{ID: [4]byte(b), Seed: [16]byte(b[4:])}
	if check := c.check(); check != [2]byte(b[20:]) {
		return SetupCode{}, fmt.Errorf("%w: a symbol is wrong", ErrSetupCode)
	}
	return c, nil
}

// FactoryKey gives Kf = H(seed, 0B | id): what the device itself keeps of its setup code.
func (c SetupCode) FactoryKey() [32]byte {
	return derive(c.Seed[:], append([]byte{labelFactory}, c.ID[:]...))
}
