package capability

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/edgeistry/edgeistry/coap"
)

// Labels: the first byte of every HMAC input, one purpose each (docs/spec/capability.md, Labels).
const (
	labelRoot       = 0x01
	labelHead       = 0x02
	labelFrame      = 0x03
	labelSession    = 0x04
	labelPrivacy    = 0x05
	labelRequest    = 0x06
	labelResponse   = 0x07
	labelCookie     = 0x08
	labelCookieKey  = 0x09
	labelRatchet    = 0x0a
	labelFactory    = 0x0b
	labelClaimNonce = 0x0c
	labelClaim      = 0x0d
	labelConfirmO   = 0x0e
	labelConfirmD   = 0x0f
	labelVID        = 0x10
	labelBind       = 0x11
	labelFrames     = 0x12
	labelDischarge  = 0x13
	labelJoin       = 0x14
	labelPad        = 0x15
)

const (
	keySize      = 32
	openTagSize  = 16 // tag of OPEN, of its answer, and of the claim
	tagSize      = 8  // tag within a session
	cookieMACLen = 8
	digestSize   = 16 // who knows ks can search for other frames with the same digest
)

// EpochKey is Ke: the root of everything a service verifies in one epoch. It lives in the service and in its
// owner's home, nowhere else. It never prints.
type EpochKey [keySize]byte

// BranchKey is Kb: the root of one branch in one generation. Who has it can mint for that branch. It never prints.
type BranchKey [keySize]byte

// errSecret keeps keys out of JSON and YAML: whoever stores one says so with key[:].
var errSecret = errors.New("a key has no text form")

const redacted = "(secret key)"

func (EpochKey) String() string                { return redacted }
func (EpochKey) Format(f fmt.State, _ rune)    { _, _ = f.Write([]byte(redacted)) }
func (EpochKey) MarshalText() ([]byte, error)  { return nil, errSecret }
func (BranchKey) String() string               { return redacted }
func (BranchKey) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (BranchKey) MarshalText() ([]byte, error) { return nil, errSecret }

// Branch returns Kb = H(Ke, 01 | epoch u16 | branch u8 | generation u8).
func (ke EpochKey) Branch(epoch uint16, branch, generation uint8) BranchKey {
	return BranchKey(derive(ke[:], []byte{labelRoot, byte(epoch >> 8), byte(epoch), branch, generation}))
}

// BranchKeys returns what GuardConfig wants of a verifier that has the epoch key: every branch of
// one epoch.
func (ke EpochKey) BranchKeys(epoch uint16) func(branch, generation uint8) (BranchKey, bool) {
	return func(branch, generation uint8) (BranchKey, bool) {
		return ke.Branch(epoch, branch, generation), branch <= BranchMirror
	}
}

// CookieKey returns H(Ke, 09 | boot u32): the key of one boot's cookies.
func (ke EpochKey) CookieKey(boot uint32) [32]byte {
	return derive(ke[:], binary.BigEndian.AppendUint32([]byte{labelCookieKey}, boot))
}

// Next returns the key of the next epoch, H(Ke, 0A | epoch u16 | r): epoch is the new one, r 32 fresh bytes of the owner.
func (ke EpochKey) Next(epoch uint16, r [32]byte) EpochKey {
	b := append([]byte{labelRatchet, byte(epoch >> 8), byte(epoch)}, r[:]...)
	return EpochKey(derive(ke[:], b))
}

// headKey returns k0 = H(Kb, 02 | u8 length | header | u8 length | frame 1).
func headKey(kb BranchKey, header [headerSize]byte, first Frame) [keySize]byte {
	var room [3 + headerSize + maxFrame]byte
	b := append(room[:0], labelHead, headerSize)
	b = append(b, header[:]...)
	b = append(b, byte(len(first)))
	return derive(kb[:], append(b, first...))
}

// frameKey returns k(i) = H(k(i-1), 03 | u8 length | frame).
func frameKey(k [keySize]byte, f Frame) [keySize]byte {
	var room [2 + maxFrame]byte
	b := append(room[:0], labelFrame, byte(len(f)))
	return derive(k[:], append(b, f...))
}

// sessionKey returns ks = H(k, 04 | caller nonce | cookie).
func sessionKey(k [keySize]byte, nonce [nonceSize]byte, cookie [cookieSize]byte) [keySize]byte {
	b := make([]byte, 0, 1+nonceSize+cookieSize)
	b = append(b, labelSession)
	b = append(b, nonce[:]...)
	return derive(k[:], append(b, cookie[:]...))
}

// joinKey returns H(ks, 14 | ks' of the next part).
func joinKey(ks, part [keySize]byte) [keySize]byte {
	return derive(ks[:], append([]byte{labelJoin}, part[:]...))
}

// padKey returns H(ks, 15 | sequence u32): the pad under which r travels to the next epoch.
func padKey(ks [keySize]byte, sequence uint32) [keySize]byte {
	return derive(ks[:], binary.BigEndian.AppendUint32([]byte{labelPad}, sequence))
}

// cookieMAC returns H(cookie key, 08 | boot u32 | tick u32 | caller nonce | header), cut to 8 bytes.
func cookieMAC(key [keySize]byte, boot, tick uint32, nonce [nonceSize]byte, header [headerSize]byte) [cookieMACLen]byte {
	b := make([]byte, 0, 9+nonceSize+headerSize)
	b = append(b, labelCookie)
	b = binary.BigEndian.AppendUint32(b, boot)
	b = binary.BigEndian.AppendUint32(b, tick)
	b = append(b, nonce[:]...)
	sum := derive(key[:], append(b, header[:]...))
	return [cookieMACLen]byte(sum[:])
}

// tagger computes tags under one session key, each in a mac that is lent to it and that it leaves wiped.
type tagger struct {
	ks  [keySize]byte
	key midstate
}

func newTagger(ks [keySize]byte) *tagger { return &tagger{ks: ks, key: newMidstate(&ks)} }

// request returns H(ks, 06 | slot | sequence | tick | hold | canonical request).
func (t *tagger) request(m *mac, slot uint8, sequence, tick uint32, hold uint8, req *coap.Message) (sum [keySize]byte, err error) {
	defer m.wipe()
	b := append(m.input[:0], labelRequest, slot)
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = binary.BigEndian.AppendUint32(b, tick)
	if b, err = canonicalRequest(append(b, hold), req); err != nil {
		m.input = m.input[:cap(m.input)] // some of it has been written
		return sum, err
	}
	m.input = b
	return *m.sumInput(&t.key), nil
}

// response returns H(ks, 07 | sequence | notification | request tag | tick | slot | canonical response).
func (t *tagger) response(m *mac, slot uint8, sequence, notification, tick uint32, requestTag []byte, resp *coap.Message) (sum [keySize]byte, err error) {
	defer m.wipe()
	b := append(m.input[:0], labelResponse)
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = binary.BigEndian.AppendUint32(b, notification)
	b = append(b, requestTag...)
	b = binary.BigEndian.AppendUint32(b, tick)
	if b, err = canonicalResponse(append(b, slot), resp); err != nil {
		m.input = m.input[:cap(m.input)]
		return sum, err
	}
	m.input = b
	return *m.sumInput(&t.key), nil
}

// digest returns H(ks, 12 | u8 length | carried form), cut to 16 bytes: what a slot keeps of long frames.
func (t *tagger) digest(m *mac, carried []byte) [digestSize]byte {
	defer m.wipe()
	m.input = append(append(m.input[:0], labelFrames, byte(len(carried))), carried...)
	return [digestSize]byte(m.sumInput(&t.key)[:])
}
