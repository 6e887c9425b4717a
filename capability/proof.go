package capability

import (
	"encoding/binary"

	"github.com/edgeistry/edgeistry/coap"
)

const (
	nonceSize  = 8
	cookieSize = 16
	helloSize  = nonceSize + headerSize

	formOpen          = 0x1f
	formSession       = 0x20
	formSessionFrames = 0x30
	formNotification  = 0x40
	privateBit        = 0x40 // of a request's form

	slotOpening = 0xff // the slot of a request that opens

	openFixed          = 2 + nonceSize + cookieSize + 4 + 1 + 1 + openTagSize // OPEN without its carried form
	sessionSize        = 2 + 4 + 2 + 1 + tagSize
	sessionFramesFixed = sessionSize + 1
)

// requestTagSize reports how many bytes of an option 65001 are its tag; 0 if the form is unknown.
func requestTagSize(value []byte) int {
	if len(value) == 0 {
		return 0
	}
	switch value[0] &^ (mirrorBit | privateBit) {
	case formOpen:
		return openTagSize
	case formSession, formSessionFrames:
		return tagSize
	}
	return 0
}

// responseTagSize is the same for option 65000.
func responseTagSize(value []byte) int {
	if len(value) == 0 {
		return 0
	}
	switch value[0] &^ mirrorBit {
	case formOpen:
		return openTagSize
	case formSession, formNotification:
		return tagSize
	}
	return 0
}

// proof is an option 65001 taken apart; the slices share its memory.
//
// With bit 7 of the form set it addresses the mirror, with bit 6 set it is private.
//
//	OPEN            1F FF | caller nonce (8) | cookie (16) | sequence u32 | hold u8 | u8 n | carried form (n) | tag (16)
//	SESSION         20 slot | sequence u32 | tick u16 | hold u8 | tag (8)
//	SESSION-FRAMES  30 slot | sequence u32 | tick u16 | hold u8 | u8 n | carried form (n) | tag (8)
type proof struct {
	form     uint8 // without mirror and private bit
	private  bool
	slot     uint8
	nonce    [nonceSize]byte
	cookie   [cookieSize]byte
	sequence uint32
	tick     uint16
	hold     uint8
	carried  []byte // nil in SESSION
	parts    []part // of carried, once decode has read them
	tag      []byte
}

// parse reads an option 65001 into p, which is zero; mirror reports whether this verifier is a
// mirror. What it brings of a carried form is left to decode: most requests bring none, and are
// spared the room for it.
func (p *proof) parse(v []byte, mirror bool) Reason {
	if len(v) < sessionSize || len(v) > 255 || (v[0]&mirrorBit != 0) != mirror {
		return ReasonMalformed
	}
	p.form, p.private, p.slot = v[0]&^(mirrorBit|privateBit), v[0]&privateBit != 0, v[1]
	body := v[2:]
	switch p.form {
	case formOpen:
		if len(v) < openFixed || p.slot != slotOpening {
			return ReasonMalformed
		}
		p.nonce = [nonceSize]byte(body)
		p.cookie = [cookieSize]byte(body[nonceSize:])
		body = body[nonceSize+cookieSize:]
		p.sequence = binary.BigEndian.Uint32(body)
		body = body[4:]
	case formSession, formSessionFrames:
		p.sequence = binary.BigEndian.Uint32(body)
		p.tick = binary.BigEndian.Uint16(body[4:])
		body = body[6:]
	default:
		return ReasonMalformed
	}
	cut := requestTagSize(v)
	p.hold = body[0]
	body, p.tag = body[1:len(body)-cut], body[len(body)-cut:]
	if p.sequence == 0 {
		return ReasonMalformed
	}
	if p.form == formSession {
		if len(body) != 0 {
			return ReasonMalformed
		}
		return ReasonNone
	}
	if len(body) < 1 || int(body[0]) != len(body)-1 {
		return ReasonMalformed
	}
	p.carried = body[1:]
	return ReasonNone
}

// decode reads the carried form into room. One longer than maxCarried is well-formed but too large.
func (p *proof) decode(room *[MaxParts]part, maxCarried int) Reason {
	n, err := decodeParts(p.carried, room)
	if err != nil {
		return ReasonMalformed
	}
	if len(p.carried) > maxCarried {
		return ReasonTooLarge
	}
	p.parts = room[:n]
	return ReasonNone
}

// appendOpen appends an OPEN with a tag of zeros. flags: mirrorBit, privateBit.
func appendOpen(dst []byte, flags uint8, nonce [nonceSize]byte, cookie [cookieSize]byte, sequence uint32, hold uint8, carried []byte) []byte {
	dst = append(dst, formOpen|flags, slotOpening)
	dst = append(dst, nonce[:]...)
	dst = append(dst, cookie[:]...)
	dst = binary.BigEndian.AppendUint32(dst, sequence)
	dst = append(dst, hold, byte(len(carried)))
	dst = append(dst, carried...)
	return append(dst, make([]byte, openTagSize)...)
}

// appendSession appends a SESSION, or with a carried form a SESSION-FRAMES, with a tag of zeros.
func appendSession(dst []byte, flags, slot uint8, sequence uint32, tick uint16, hold uint8, carried []byte) []byte {
	form := uint8(formSession)
	if carried != nil {
		form = formSessionFrames
	}
	dst = append(dst, form|flags, slot)
	dst = binary.BigEndian.AppendUint32(dst, sequence)
	dst = binary.BigEndian.AppendUint16(dst, tick)
	dst = append(dst, hold)
	if carried != nil {
		dst = append(dst, byte(len(carried)))
		dst = append(dst, carried...)
	}
	return append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
}

// answerProof is an option 65000 taken apart.
//
//	direct answer    20 | slot | tick u32 | tag (8)
//	answer to OPEN   1F | slot | tick u32 | tag (16)
//	notification     40 | slot | tick u32 | notification u32 | tag (8)
type answerProof struct {
	form         uint8 // without the mirror bit
	slot         uint8
	tick         uint32
	notification uint32
	tag          []byte
}

func parseAnswerProof(v []byte, mirror bool) (a answerProof, ok bool) {
	cut := responseTagSize(v)
	if cut == 0 || (v[0]&mirrorBit != 0) != mirror {
		return a, false
	}
	a.form = v[0] &^ mirrorBit
	fixed := 6
	if a.form == formNotification {
		fixed = 10
	}
	if len(v) != fixed+cut {
		return a, false
	}
	a.slot = v[1]
	a.tick = binary.BigEndian.Uint32(v[2:])
	if a.form == formNotification {
		a.notification = binary.BigEndian.Uint32(v[6:])
	}
	a.tag = v[fixed:]
	return a, true
}

// appendAnswerProof appends an option 65000 with a tag of zeros.
func appendAnswerProof(dst []byte, form, mirror, slot uint8, tick, notification uint32) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, form|mirror, slot), tick)
	n := tagSize
	switch form {
	case formOpen:
		n = openTagSize
	case formNotification:
		dst = binary.BigEndian.AppendUint32(dst, notification)
	}
	for range n {
		dst = append(dst, 0)
	}
	return dst
}

// IsMirror reports whether a hello or a protected request addresses the mirror verifier at a home
// node.
func IsMirror(m *coap.Message) bool {
	if v, ok := m.Get(coap.OptionRequest); ok {
		return len(v) > 0 && v[0]&mirrorBit != 0
	}
	return IsHello(m) && len(m.Payload) == helloSize && m.Payload[nonceSize]&mirrorBit != 0
}

// IsHello reports whether a request is a hello: POST /h without option 65001.
func IsHello(m *coap.Message) bool {
	if _, ok := m.Get(coap.OptionRequest); ok {
		return false
	}
	return m.Code == coap.CodePOST && m.Path() == "/h"
}

// IsOpen reports whether a request opens a session: a proxy rations these, as it does hellos.
func IsOpen(m *coap.Message) bool {
	v, ok := m.Get(coap.OptionRequest)
	return ok && len(v) > 0 && v[0]&^(mirrorBit|privateBit) == formOpen
}

// carriedForm returns the carried form that a request brings, if it does.
func carriedForm(m *coap.Message) ([]byte, bool) {
	v, _ := m.Get(coap.OptionRequest)
	var p proof
	if len(v) == 0 || p.parse(v, v[0]&mirrorBit != 0) != ReasonNone || p.carried == nil {
		return nil, false
	}
	var room [MaxParts]part
	if p.decode(&room, maxCarried) != ReasonNone {
		return nil, false
	}
	return p.carried, true
}

// Slot returns the session slot that a request or an answer names. An OPEN names none.
func Slot(m *coap.Message) (slot uint8, ok bool) {
	for _, o := range [...]uint16{coap.OptionRequest, coap.OptionResponse} {
		if v, found := m.Get(o); found && len(v) > 1 {
			return v[1], o == coap.OptionResponse || !IsOpen(m)
		}
	}
	return 0, false
}
