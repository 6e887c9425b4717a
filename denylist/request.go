package denylist

// The forms of option 65001 (docs/spec/capability.md), without the bits that say for whom and how.
const (
	formOpen          = 0x1F
	formSession       = 0x20
	formSessionFrames = 0x30

	bitMirror  = 0x80
	bitPrivate = 0x40
)

// proof is what can be read of an option 65001 without keys.
type proof struct {
	form    uint8
	session session
	carried []byte // nil: none is shown, or not where a verifier would look for it
}

// parse takes an option 65001 apart, as far as the deny list needs it:
//
//	OPEN               1F FF | caller nonce (8) | cookie (16) | sequence u32 | hold u8 | u8 n | carried form (n) | tag (16)
//	SESSION            20 slot | ...
//	SESSION-FRAMES     30 slot | sequence u32 | tick u16 | hold u8 | u8 n | carried form (n) | tag (8)
func parse(value []byte) (p proof) {
	if len(value) < 2 {
		return p
	}
	p.form = value[0] &^ (bitMirror | bitPrivate)
	p.session = session{value[1], value[0]&bitMirror != 0}
	at := 0
	switch p.form {
	case formOpen:
		at = 2 + 8 + 16 + 4 + 1
	case formSessionFrames:
		at = 2 + 4 + 2 + 1
	default:
		return p
	}
	if len(value) <= at || len(value) < at+1+int(value[at]) {
		return p
	}
	p.carried = value[at+1 : at+1+int(value[at])]
	return p
}
