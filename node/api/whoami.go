package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
)

// WhoAmIPath is where a server proves that it knows the token. It asks for none.
const WhoAmIPath = "/v1/whoami"

// ChallengeSize is the length of a challenge in bytes. It is given as hex digits.
const ChallengeSize = 32

// WhoAmI is the answer to a challenge.
type WhoAmI struct {
	Proof string `json:"proof"` // see Prove
}

// Prove returns what a server at address (127.0.0.1:7780) that knows token answers to a challenge of 64 hex digits: HMAC-SHA256
// with the token as key over "edgeistry api server", the address and the challenge, with a zero byte between them, in hex. It
// reveals nothing of the token. The address is in it, so that a program at another port cannot pass a challenge on to the node.
func Prove(token, address, challenge string) (string, error) {
	if raw, err := hex.DecodeString(challenge); err != nil || len(raw) != ChallengeSize || hex.EncodeToString(raw) != challenge {
		return "", Errorf(Usage, "challenge must be %d hex digits in lower case", 2*ChallengeSize)
	}
	m := hmac.New(sha256.New, []byte(token))
	m.Write([]byte("edgeistry api server\x00" + address + "\x00" + challenge))
	return hex.EncodeToString(m.Sum(nil)), nil
}

// Proving returns a handler that answers challenges for a server at address that knows token, and passes other requests to next.
func Proving(token, address string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != WhoAmIPath {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		var answer any
		proof, err := Prove(token, address, r.URL.Query().Get("challenge"))
		if err != nil {
			w.WriteHeader(Usage.Status())
			answer = map[string]any{"error": err}
		} else {
			answer = WhoAmI{Proof: proof}
		}
		_ = json.NewEncoder(w).Encode(answer) // a caller that has gone needs no answer
	})
}
