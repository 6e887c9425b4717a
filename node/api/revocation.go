package api

import "time"

// RevokeRequest ends a capability, and what was narrowed from it.
type RevokeRequest struct {
	Capability string `json:"capability"`           // "ecap1_...", or a keychain name
	Generation bool   `json:"generation,omitempty"` // of the shared branches, too: all that was narrowed from the owner's capability, or the mirror halves of all pairs, ends
	Epoch      bool   `json:"epoch,omitempty"`      // everything that was ever shared of the service ends
	Preview    bool   `json:"preview,omitempty"`    // say what would end, and change nothing
	TimeoutMS  int    `json:"timeout_ms,omitempty"`
}

// RevokeResult says what ends.
type RevokeResult struct {
	Service      string   `json:"service"`
	Name         string   `json:"name,omitempty"`         // of the service
	Capability   string   `json:"capability,omitempty"`   // keychain name
	Fingerprints []string `json:"fingerprints,omitempty"` // on this node's deny list; a pair has two
	Preview      bool     `json:"preview,omitempty"`
	Ended        string   `json:"ended,omitempty"` // why it was over before
	// Changes are what the service itself is told, with how far that is.
	Changes  []Revocation `json:"changes"`
	AlsoEnds []AlsoEnds   `json:"also_ends"` // capabilities of this keychain
}

// AlsoEnds is another capability that ends.
type AlsoEnds struct {
	Name string `json:"name"` // in the keychain
	Why  string `json:"why"`  // "same branch", "narrowed from it", "same epoch"
}

// The states of a revocation.
const (
	RevokedHere    = "here"    // an entry of this node's deny list
	RevokedWaiting = "waiting" // the service has not confirmed it
	RevokedDone    = "done"    // it has
)

// Revocation is one thing that was revoked.
type Revocation struct {
	Service     string    `json:"service"`
	Name        string    `json:"name,omitempty"` // of the service
	Kind        string    `json:"kind"`           // "denied", "generation", "epoch"
	Capability  string    `json:"capability,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Branch      *uint8    `json:"branch,omitempty"`
	Generation  *uint8    `json:"generation,omitempty"` // the new one
	Epoch       uint16    `json:"epoch,omitempty"`      // the new one
	Since       time.Time `json:"since,omitzero"`
	Expires     time.Time `json:"expires,omitzero"` // of a denied capability by itself
	State       string    `json:"state"`
	Done        time.Time `json:"done,omitzero"`
	Tried       time.Time `json:"tried,omitzero"`    // when delivery was tried last
	Problem     string    `json:"problem,omitempty"` // why that did not succeed
}

// AllowRequest takes an entry out of this node's deny list. What the service itself has ended stays ended.
type AllowRequest struct {
	Service     string `json:"service"` // ID or local name
	Fingerprint string `json:"fingerprint"`
}
