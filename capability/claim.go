package capability

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	claimFirst   = 0x01
	claimSecond  = 0x02
	claimNonce   = 16
	maxBoard     = 14
	firstSize    = 1 + 4 + claimNonce + 12
	secondSize   = 1 + 4 + 2*claimNonce + openTagSize
	firstAnswer  = 1 + 2 + claimNonce // and the board's name
	secondAnswer = 1 + openTagSize
)

// ErrClaim reports that the device's answers do not belong to the setup code: another device, or
// one that does not know its secret.
var ErrClaim = errors.New("the device does not prove that this setup code is its own")

// Claim is the owner's side of docs/spec/claim.md: First goes to the device, its answer into Second, what that
// gives to the device again, and its answer into Finish.
type Claim struct {
	setup  SetupCode
	hint   [4]byte
	owner  [claimNonce]byte
	device [claimNonce]byte
	board  string
	key    EpochKey
	agreed bool
}

// NewClaim draws the owner's nonce. hint is that of the service that the device is to become.
func (c SetupCode) NewClaim(hint [4]byte, random io.Reader) (*Claim, error) {
	claim := &Claim{setup: c, hint: hint}
	if _, err := io.ReadFull(random, claim.owner[:]); err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	return claim, nil
}

// First returns 01 | id (4) | owner nonce (16) | zero (12): as long as the longest answer.
func (c *Claim) First() []byte {
	b := append(make([]byte, 0, firstSize), claimFirst)
	b = append(append(b, c.setup.ID[:]...), c.owner[:]...)
	return b[:firstSize]
}

// Second takes 01 | count u16 | device nonce (16) | board and gives the second payload.
func (c *Claim) Second(answer []byte) ([]byte, error) {
	if len(answer) < firstAnswer || len(answer) > firstSize || answer[0] != claimFirst {
		return nil, fmt.Errorf("claim: first answer of %d bytes is malformed", len(answer))
	}
	board := answer[firstAnswer:]
	for _, b := range board {
		if b < ' ' || b > '~' {
			return nil, errors.New("claim: the board's name is not printable")
		}
	}
	count := binary.BigEndian.Uint16(answer[1:])
	c.device = [claimNonce]byte(answer[3:])
	kf := c.setup.FactoryKey()
	if want := deviceNonce(kf, binary.BigEndian.Uint32(c.device[:]), binary.BigEndian.Uint32(c.device[4:]), count, c.owner); !hmac.Equal(want[:], c.device[:]) {
		return nil, fmt.Errorf("claim: %w", ErrClaim)
	}
	c.board = string(board)
	c.key = claimKey(kf, c.setup.ID, c.owner, c.device, count)
	c.agreed = true
	confirm := confirmation(c.key, labelConfirmO, c.hint, c.owner, c.device)
	b := append(make([]byte, 0, secondSize), claimSecond)
	b = append(append(append(b, c.hint[:]...), c.owner[:]...), c.device[:]...)
	return append(b, confirm[:]...), nil
}

// Finish takes 02 | confirmation (16). With its key the device is the owner's: keep it before anything else.
func (c *Claim) Finish(answer []byte) (EpochKey, error) {
	if !c.agreed || len(answer) != secondAnswer || answer[0] != claimSecond {
		return EpochKey{}, fmt.Errorf("claim: second answer of %d bytes is malformed", len(answer))
	}
	want := confirmation(c.key, labelConfirmD, c.hint, c.owner, c.device)
	if !hmac.Equal(want[:], answer[1:]) {
		return EpochKey{}, fmt.Errorf("claim: %w", ErrClaim)
	}
	return c.key, nil
}

// Board returns what the device called its board in its first answer.
func (c *Claim) Board() string { return c.board }

// deviceNonce returns boot u32 | tick u32 | H(Kf, 0C | boot | tick | count u16 | owner nonce), the MAC cut to 8 bytes.
func deviceNonce(kf [keySize]byte, boot, tick uint32, count uint16, owner [claimNonce]byte) [claimNonce]byte {
	head := pair(boot, tick)
	b := append([]byte{labelClaimNonce}, head...)
	b = binary.BigEndian.AppendUint16(b, count)
	mac := derive(kf[:], append(b, owner[:]...))
	return [claimNonce]byte(append(head, mac[:8]...))
}

// claimKey returns Ke = H(Kf, 0D | id | owner nonce | device nonce | count u16).
func claimKey(kf [keySize]byte, id [4]byte, owner, device [claimNonce]byte, count uint16) EpochKey {
	b := append([]byte{labelClaim}, id[:]...)
	b = append(append(b, owner[:]...), device[:]...)
	return EpochKey(derive(kf[:], binary.BigEndian.AppendUint16(b, count)))
}

// confirmation returns H(Ke, label | hint | owner nonce | device nonce), cut to 16 bytes.
func confirmation(ke EpochKey, label byte, hint [4]byte, owner, device [claimNonce]byte) [openTagSize]byte {
	b := append([]byte{label}, hint[:]...)
	b = append(append(b, owner[:]...), device[:]...)
	sum := derive(ke[:], b)
	return [openTagSize]byte(sum[:])
}

// Claimable is the device's side of the claim: its factory state, and once claimed what it then keeps. The zero
// values of Claimed, Hint and Key are an unclaimed device.
type Claimable struct {
	ID         [4]byte
	FactoryKey [32]byte
	Count      uint16 // of factory resets
	Boot       uint32
	Board      string // at most 14 bytes

	Claimed bool
	Hint    [4]byte
	Key     EpochKey
}

// Answer takes the payload of POST /k and gives that of the answer, or the reason of a refusal. When it sets
// Claimed, the caller must have Hint and Key on its storage before it sends the answer.
func (c *Claimable) Answer(payload []byte, now Now) ([]byte, Reason) {
	switch {
	case len(payload) == firstSize && payload[0] == claimFirst:
		return c.first(payload, now)
	case len(payload) == secondSize && payload[0] == claimSecond:
		return c.second(payload, now)
	}
	return nil, ReasonMalformed
}

func (c *Claimable) first(payload []byte, now Now) ([]byte, Reason) {
	if slices.ContainsFunc(payload[1+4+claimNonce:], func(b byte) bool { return b != 0 }) {
		return nil, ReasonMalformed
	}
	if c.Claimed {
		return nil, ReasonClaimClosed
	}
	if [4]byte(payload[1:]) != c.ID {
		return nil, ReasonEpoch
	}
	nonce := deviceNonce(c.FactoryKey, c.Boot, now.Tick, c.Count, [claimNonce]byte(payload[5:]))
	b := binary.BigEndian.AppendUint16([]byte{claimFirst}, c.Count)
	b = append(b, nonce[:]...)
	return append(b, c.Board[:min(len(c.Board), maxBoard)]...), ReasonNone
}

func (c *Claimable) second(payload []byte, now Now) ([]byte, Reason) {
	hint := [4]byte(payload[1:])
	owner, device := [claimNonce]byte(payload[5:]), [claimNonce]byte(payload[5+claimNonce:])
	ke := c.Key
	if !c.Claimed {
		boot, tick := binary.BigEndian.Uint32(device[:]), binary.BigEndian.Uint32(device[4:])
		want := deviceNonce(c.FactoryKey, boot, tick, c.Count, owner)
		if boot != c.Boot || tick > now.Tick || now.Tick-tick > maxCookieAge || !hmac.Equal(want[:], device[:]) {
			return nil, ReasonCookie
		}
		ke = claimKey(c.FactoryKey, c.ID, owner, device, c.Count)
	}
	want := confirmation(ke, labelConfirmO, hint, owner, device)
	proven := hmac.Equal(want[:], payload[5+2*claimNonce:])
	switch {
	case c.Claimed && (!proven || hint != c.Hint):
		return nil, ReasonClaimClosed
	case !proven:
		return nil, ReasonTag
	}
	c.Claimed, c.Hint, c.Key = true, hint, ke
	answer := confirmation(ke, labelConfirmD, hint, owner, device)
	return append([]byte{claimSecond}, answer[:]...), ReasonNone
}
