package capability

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/edgeistry/edgeistry"
)

const (
	tokenPrefix   = "ecap1_"
	tokenEnd      = 0xff // after the last frame, where a length would be
	tokenCheck    = "ecap1"
	checkSize     = 4
	maxTokenBytes = MaxCarried + 1 + keySize + 32 + checkSize

	// MaxTokenText bounds the text of a capability in bytes.
	MaxTokenText = len(tokenPrefix) + (maxTokenBytes*8+5)/6
)

// ErrToken says that a text is no capability.
var ErrToken = errors.New("not a capability (ecap1_...)")

// Capability is a permission and the secret that proves it. Text gives it away; everything else that prints it
// leaves the secret out.
type Capability struct {
	Header  Header
	Frames  []Frame
	Service edgeistry.ServiceID

	key [keySize]byte // the last k of the chain
}

// Mint makes a capability of one frame under a branch key. The header's hint is set from the service.
func Mint(service edgeistry.ServiceID, key BranchKey, h Header, first Frame) (*Capability, error) {
	h.Hint = service.Hint()
	c := &Capability{Header: h, Frames: []Frame{slices.Clone(first)}, Service: service}
	if _, err := EncodeCarried(h, c.Frames); err != nil {
		return nil, fmt.Errorf("mint: %w", err)
	}
	c.key = headKey(key, h.encode(), first)
	return c, nil
}

// Owner gives the first capability of a service, which the claim makes: branch 0, generation 0, nonce 0, one
// empty frame.
func Owner(service edgeistry.ServiceID, ke EpochKey, epoch uint16) *Capability {
	c, err := Mint(service, ke.Branch(epoch, BranchOwner, 0), Header{Epoch: epoch}, nil)
	if err != nil {
		panic("capability: the owner's header and frame are within limits") // cannot happen: both are constant
	}
	return c
}

// Attenuate adds a frame: 4 fresh bytes of salt, so that siblings have different keys, then what spec says. The
// result allows no more than c does. It needs nothing but c.
func (c *Capability) Attenuate(random io.Reader, spec FrameSpec) (*Capability, error) {
	salt := Limit{Type: TypeSalt}
	if _, err := io.ReadFull(random, salt.Salt[:]); err != nil {
		return nil, fmt.Errorf("attenuate: %w", err)
	}
	f, err := FrameSpec{Limits: append([]Limit{salt}, spec.Limits...), Grants: spec.Grants}.Encode()
	if err != nil {
		return nil, fmt.Errorf("attenuate: %w", err)
	}
	return c.extend(f)
}

// extend adds a frame as it stands.
func (c *Capability) extend(f Frame) (*Capability, error) {
	child := &Capability{
		Header: c.Header, Frames: append(slices.Clone(c.Frames), f), Service: c.Service, key: frameKey(c.key, f),
	}
	if _, err := EncodeCarried(child.Header, child.Frames); err != nil {
		return nil, fmt.Errorf("attenuate: %w", err)
	}
	return child, nil
}

// Carried gives the carried form: what a verifier is shown. It holds no secret.
func (c *Capability) Carried() []byte {
	b, err := EncodeCarried(c.Header, c.Frames)
	if err != nil {
		return nil // only a Capability that was not made by this package
	}
	return b
}

// Text gives the capability with its secret: whoever reads it holds it.
func (c *Capability) Text() string {
	b := append(c.Carried(), tokenEnd)
	b = append(b, c.key[:]...)
	b = append(b, c.Service[:]...)
	check := tokenSum(b)
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(b, check[:]...))
}

func tokenSum(b []byte) [checkSize]byte {
	sum := sha256.Sum256(append([]byte(tokenCheck), b...))
	return [checkSize]byte(sum[:])
}

// String names the capability without its secret.
func (c *Capability) String() string {
	return fmt.Sprintf("capability of %s, branch %d, %d frames %s", c.Service, c.Header.Branch, len(c.Frames), redacted)
}

// Format keeps the secret out of every verb.
func (c *Capability) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// Parse reads what Text gives, and nothing else.
func Parse(text string) (*Capability, error) {
	encoded, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok || len(text) > MaxTokenText {
		return nil, ErrToken
	}
	if strings.ContainsAny(encoded, "\r\n") { // the decoder would skip them
		return nil, ErrToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url without padding", ErrToken)
	}
	const tail = 1 + keySize + len(edgeistry.ServiceID{}) + checkSize
	if len(b) < HeaderSize+1+tail {
		return nil, fmt.Errorf("%w: too short", ErrToken)
	}
	check := tokenSum(b[:len(b)-checkSize])
	if subtle.ConstantTimeCompare(check[:], b[len(b)-checkSize:]) != 1 {
		return nil, fmt.Errorf("%w: a character is wrong or missing", ErrToken)
	}
	carried, rest := b[:len(b)-tail], b[len(b)-tail:]
	if rest[0] != tokenEnd {
		return nil, fmt.Errorf("%w: the frames do not end where they must", ErrToken)
	}
	h, frames, err := DecodeCarried(carried)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	c := &Capability{Header: h, Frames: frames, key: [keySize]byte(rest[1:])}
	if c.Service, err = edgeistry.ServiceIDFromBytes(rest[1+keySize : len(rest)-checkSize]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	if c.Service.Hint() != h.Hint {
		return nil, fmt.Errorf("%w: it names another service than its header", ErrToken)
	}
	return c, nil
}
