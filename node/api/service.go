package api

import (
	"time"

	"github.com/edgeistry/edgeistry"
)

// Service is one service that this node knows: its own, its devices', and those with a local name.
type Service struct {
	Service string `json:"service"`
	Name    string `json:"name,omitempty"`
	// Kind is "device" (this node is its home), "node" (this node's own service) or "remote".
	Kind         string   `json:"kind"`
	Link         string   `json:"link,omitempty"`
	Board        string   `json:"board,omitempty"`
	Firmware     string   `json:"firmware,omitempty"`
	Reachable    *bool    `json:"reachable,omitempty"` // absent: not known
	Problem      string   `json:"problem,omitempty"`
	Cause        string   `json:"cause,omitempty"`        // as of a Device
	Capabilities []string `json:"capabilities,omitempty"` // keychain names
}

// Home is a node that a service is reached through.
type Home struct {
	Peer  string   `json:"peer"`
	Self  bool     `json:"self,omitempty"` // this node
	Conn  string   `json:"conn"`           // "direct", "relayed through ...", "this node", or "not connected"
	RTTMS float64  `json:"rtt_ms,omitempty"`
	Addrs []string `json:"addrs,omitempty"`
	Error string   `json:"error,omitempty"`
}

// Resolution is what GET /v1/services/ID/resolve answers.
type Resolution struct {
	Service   string             `json:"service"`
	Name      string             `json:"name,omitempty"`
	Homes     []Home             `json:"homes"`
	Sequence  uint64             `json:"sequence"`
	NotBefore time.Time          `json:"not_before"`
	Expiry    time.Time          `json:"expiry"`
	Manifest  edgeistry.Manifest `json:"manifest"`
	From      string             `json:"from"`    // "own", "dht" or "cache"
	TookMS    float64            `json:"took_ms"` // to find the record
}

// ServiceDetail is what GET /v1/services/ID/show answers.
type ServiceDetail struct {
	Resolution
	Logs        []LogDetail `json:"logs"`
	Reachable   bool        `json:"reachable"`
	RTTMS       float64     `json:"rtt_ms,omitempty"` // of one exchange with the service itself
	Problem     string      `json:"problem,omitempty"`
	Capability  string      `json:"capability,omitempty"`  // keychain name of the one that was used
	DeviceLine  string      `json:"device_line,omitempty"` // "ATmega328P; opening a session about 46 ms, ..."
	AwakeAlways bool        `json:"awake_always"`
	// Revocations are those that wait for the service, if this home owns it.
	Revocations []Revocation `json:"revocations,omitempty"`
}

// LogDetail is a log of a service with its live head.
type LogDetail struct {
	edgeistry.LogInfo
	Head  *Head  `json:"head,omitempty"`
	Copy  bool   `json:"copy,omitempty"`  // the head is that of this node's copy: the device is away
	Error string `json:"error,omitempty"` // why there is no head
}
