package capability

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
)

// A text that people pass on names its kind:
//
//	ecap1_ or edis1_ | base64url (RFC 4648 5, no padding) of: bytes | check (4)

const checkSize = 4

// textCheck catches slips, and protects nothing.
func textCheck(kind string, b []byte) [checkSize]byte {
	sum := sha256.Sum256(append([]byte(kind), b...))
	return [checkSize]byte(sum[:])
}

// encodeText appends the check to b, which may change the memory behind it.
func encodeText(kind string, b []byte) string {
	check := textCheck(kind, b)
	return kind + "_" + base64.RawURLEncoding.EncodeToString(append(b, check[:]...))
}

// decodeText returns the bytes without the check; invalid is what it says of any other text.
func decodeText(kind, text string, longest int, invalid error) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, kind+"_")
	if !ok || len(text) > longest || strings.ContainsAny(encoded, "\r\n") { // the decoder would skip these
		return nil, invalid
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64url without padding", invalid)
	}
	end := len(b) - checkSize
	if end < 0 {
		return nil, fmt.Errorf("%w: too short", invalid)
	}
	if check := textCheck(kind, b[:end]); subtle.ConstantTimeCompare(check[:], b[end:]) != 1 {
		return nil, fmt.Errorf("%w: a character is wrong or missing", invalid)
	}
	return b[:end:end], nil
}
