package api

import (
	"encoding/hex"
	"time"

	"github.com/edgeistry/edgeistry"
)

// Head is the newest place of a log.
type Head struct {
	Incarnation uint32 `json:"incarnation"`
	Sequence    uint32 `json:"sequence"`
	Oldest      uint32 `json:"oldest"`
	Hash        string `json:"hash"` // 32 hex digits
}

// HeadOf returns the JSON form of a head.
func HeadOf(h edgeistry.Head) Head {
	return Head{Incarnation: h.Incarnation, Sequence: h.Sequence, Oldest: h.Oldest, Hash: hex.EncodeToString(h.Hash[:])}
}

// AppendRequest appends to a log: of the node's own service, or of another one under a capability.
type AppendRequest struct {
	Service string `json:"service,omitempty"` // ID or local name; "" or "node": the node's own
	Log     string `json:"log"`
	Payload []byte `json:"payload"`
	// Producer and ProducerSeq make a retry safe: the same pair gives the receipt of the first append. Own logs only.
	Producer    string `json:"producer,omitempty"`
	ProducerSeq uint64 `json:"producer_seq,omitempty"`
	// Expect, if given, is the sequence that the head must have before. Own logs only.
	Expect     *uint32 `json:"expect,omitempty"`
	Capability string  `json:"capability,omitempty"`
	TimeoutMS  int     `json:"timeout_ms,omitempty"`
	Proof
}

// Receipt says where an entry stands. It is given only when the entry is on disk.
type Receipt struct {
	Incarnation uint32 `json:"incarnation"`
	Sequence    uint32 `json:"sequence"`
	Hash        string `json:"hash,omitempty"`
}

// ForkRequest names a log whose copy here contradicts its home.
type ForkRequest struct {
	Service string `json:"service"`
	Log     string `json:"log"`
}

// ForkResult says where the copy that was followed so far is kept.
type ForkResult struct {
	Service string `json:"service"`
	Log     string `json:"log"`
	Kept    string `json:"kept"`    // path of the file
	Entries int    `json:"entries"` // in it
}

// ReadRequest reads or follows a log.
type ReadRequest struct {
	Service string `json:"service,omitempty"` // ID or local name; "" or "node": the node's own
	Log     string `json:"log"`
	// From and Count name entries of one incarnation; Last gives the newest ones instead. All zero: the newest 10; when
	// following: what comes after now.
	From        uint32 `json:"from,omitempty"`
	Count       int    `json:"count,omitempty"`
	Last        int    `json:"last,omitempty"`
	Incarnation uint32 `json:"incarnation,omitempty"` // 0: the newest
	Capability  string `json:"capability,omitempty"`
	Mirror      bool   `json:"mirror,omitempty"` // ask the home node's mirror instead of the service
	Direct      bool   `json:"direct,omitempty"` // ask the service and nobody else, also where it is away and the capability has a mirror half
	Check       bool   `json:"check,omitempty"`  // ask the mirror, and have the device prove what it gave by its hash
	TimeoutMS   int    `json:"timeout_ms,omitempty"`
	Proof
}

// ReadResult is what a log holds.
type ReadResult struct {
	Service string  `json:"service"`
	Log     string  `json:"log"`
	Entries []Entry `json:"entries"`
	Head    Head    `json:"head"`
	By      string  `json:"by"` // "this node", "device", "mirror"
	Copy    *Copy   `json:"copy,omitempty"`
}

// Copy says which copy of a device's log was read, and why.
type Copy struct {
	Home    string    `json:"home"`              // peer ID of the node that keeps it
	AsOf    time.Time `json:"as_of,omitzero"`    // when it was last known to be up to date
	Away    string    `json:"away,omitempty"`    // why the device itself did not answer
	Checked bool      `json:"checked,omitempty"` // the device has proved the entries by their hash
}

// Entry is one entry of a log; one line when following.
type Entry struct {
	Incarnation uint32    `json:"incarnation"`
	Sequence    uint32    `json:"sequence"`
	Hash        string    `json:"hash"`
	Prev        string    `json:"prev"`
	Stored      time.Time `json:"stored,omitzero"` // when the node that answers put it on disk
	Gap         bool      `json:"gap,omitempty"`   // entries before this one are lost
	Producer    string    `json:"producer,omitempty"`
	Payload     []byte    `json:"payload"`
}

// Source says where the entries that follow come from: the first line when following, and again when that changes.
type Source struct {
	By   string `json:"by"` // as of a ReadResult
	Head Head   `json:"head"`
	Copy *Copy  `json:"copy,omitempty"`
}

// tailLine is a line of the NDJSON answer.
type tailLine struct {
	Entry
	Source *Source `json:"source,omitempty"`
	Error  *Error  `json:"error,omitempty"`
}
