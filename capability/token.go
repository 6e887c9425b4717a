package capability

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/edgeistry/edgeistry"
)

const (
	tokenKind     = "ecap1"
	tokenEnd      = 0xff // after the last frame, where a length would be
	tokenPair     = 0xfe // the same, and the mirror half follows
	halfSize      = 1 + keySize
	maxTokenBytes = maxCarried + 1 + halfSize + keySize + 32 + checkSize

	// MaxTokenText bounds the text of a capability in bytes.
	MaxTokenText = len(tokenKind+"_") + (maxTokenBytes*8+5)/6
)

// errToken reports that a text is no capability.
var errToken = errors.New("not a capability (ecap1_...)")

// Capability is a permission and the secret that proves it. Text gives it away; everything else that prints it
// leaves the secret out.
type Capability struct {
	Header  Header
	Frames  []Frame
	Service edgeistry.ServiceID

	key    [keySize]byte // the last k of the chain
	mirror *half         // nil: there is none
}

// Mint returns a capability of one frame under a branch key. The header's hint is set from the
// service.
func Mint(service edgeistry.ServiceID, key BranchKey, h Header, first Frame) (*Capability, error) {
	h.Hint = service.Hint()
	c := &Capability{Header: h, Frames: []Frame{slices.Clone(first)}, Service: service}
	if _, err := appendPart(nil, h, c.Frames); err != nil {
		return nil, fmt.Errorf("mint: %w", err)
	}
	c.key = headKey(key, h.encode(), first)
	return c, nil
}

// Owner returns the first capability of a service, which the claim makes: branch 0, generation 0,
// nonce 0, one empty frame.
func Owner(service edgeistry.ServiceID, ke EpochKey, epoch uint16) *Capability {
	c, err := Mint(service, ke.Branch(epoch, BranchOwner, 0), Header{Epoch: epoch}, nil)
	if err != nil {
		panic("capability: the owner's header and frame are within limits") // cannot happen: both are constant
	}
	return c
}

// Attenuate adds a frame: 4 fresh bytes of salt, so that siblings have different keys, then what spec says. A third-party limit
// has a nonce, and so needs no salt. The result allows no more than c does. It needs nothing but c.
func (c *Capability) Attenuate(random io.Reader, spec FrameSpec) (*Capability, error) {
	if !spec.has(TypeThirdParty) {
		salt := Limit{Type: TypeSalt}
		if _, err := io.ReadFull(random, salt.Salt[:]); err != nil {
			return nil, fmt.Errorf("attenuate: %w", err)
		}
		spec.Limits = append([]Limit{salt}, spec.Limits...)
	}
	f, err := spec.Encode()
	if err != nil {
		return nil, fmt.Errorf("attenuate: %w", err)
	}
	return c.extend(f)
}

// extend adds a frame as it stands.
func (c *Capability) extend(f Frame) (*Capability, error) {
	child := &Capability{
		Header: c.Header, Frames: append(slices.Clone(c.Frames), f), Service: c.Service, key: frameKey(c.key, f),
		mirror: c.mirror.extend(f),
	}
	if _, err := appendPart(nil, child.Header, child.Frames); err != nil {
		return nil, fmt.Errorf("attenuate: %w", err)
	}
	return child, nil
}

// Carried returns the carried form: what a verifier is shown. It holds no secret.
func (c *Capability) Carried() []byte {
	b, err := appendPart(make([]byte, 0, maxCarried), c.Header, c.Frames)
	if err != nil {
		return nil // only a Capability that was not made by this package
	}
	return b
}

// Text returns the capability with its secret: whoever reads it holds it.
func (c *Capability) Text() string {
	b := c.Carried()
	if c.mirror != nil {
		b = append(append(b, tokenPair, c.mirror.generation), c.mirror.key[:]...)
	} else {
		b = append(b, tokenEnd)
	}
	b = append(b, c.key[:]...)
	return encodeText(tokenKind, append(b, c.Service[:]...))
}

// String names the capability without its secret.
func (c *Capability) String() string {
	pair := ""
	if c.mirror != nil {
		pair = " with its mirror half"
	}
	return fmt.Sprintf("capability of %s, branch %d%s, %d frames %s", c.Service, c.Header.Branch, pair, len(c.Frames), redacted)
}

// Format keeps the secret out of every verb.
func (c Capability) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// Parse reads what Text gives, and nothing else.
func Parse(text string) (*Capability, error) {
	b, err := decodeText(tokenKind, text, MaxTokenText, errToken)
	if err != nil {
		return nil, err
	}
	if len(b) < headerSize+1+1+tokenTail {
		return nil, fmt.Errorf("%w: too short", errToken)
	}
	return parseToken(b)
}

// tokenTail is what follows the end of the frames and the mirror half: key, service.
const tokenTail = keySize + len(edgeistry.ServiceID{})

func parseToken(b []byte) (*Capability, error) {
	var p part
	rest, err := p.decodeFrames(b[:len(b)-tokenTail])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errToken, err)
	}
	c := &Capability{Header: p.header, Frames: slices.Clone(p.frames[:p.nframes])}
	switch {
	case len(p.bytes) > maxCarried:
		return nil, fmt.Errorf("%w: %w", errToken, errCarried)
	case len(rest) == 1 && rest[0] == tokenEnd:
	case len(rest) == 1+halfSize && rest[0] == tokenPair && p.header.Branch != BranchMirror:
		c.mirror = &half{generation: rest[1], key: [keySize]byte(rest[2:])}
	default:
		return nil, fmt.Errorf("%w: the frames do not end where they must", errToken)
	}
	tail := b[len(b)-tokenTail:]
	c.key = [keySize]byte(tail)
	if c.Service, err = edgeistry.ServiceIDFromBytes(tail[keySize:]); err != nil {
		return nil, fmt.Errorf("%w: %w", errToken, err)
	}
	if c.Service.Hint() != p.header.Hint {
		return nil, fmt.Errorf("%w: it names another service than its header", errToken)
	}
	return c, nil
}
