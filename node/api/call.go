package api

import (
	"strings"
	"time"
)

// CallRequest is one request to a service under a capability.
type CallRequest struct {
	Service    string   `json:"service"` // ID or local name
	Method     string   `json:"method"`  // "GET" or "POST"
	Path       string   `json:"path"`    // "/f/valve"
	Query      []string `json:"query,omitempty"`
	Payload    []byte   `json:"payload,omitempty"`    // base64 in JSON
	Capability string   `json:"capability,omitempty"` // "ecap1_...", a keychain name, or "" for the best match in the keychain
	HoldMS     int      `json:"hold_ms,omitempty"`    // how long the request may still act; 0: 10 s
	Mirror     bool     `json:"mirror,omitempty"`     // ask the home node's mirror instead of the service
	Plain      bool     `json:"plain,omitempty"`      // without a capability: /.well-known/core
	Trace      bool     `json:"trace,omitempty"`
	Wait       bool     `json:"wait,omitempty"`       // ask again until a device that is away answers, or the time is over
	TimeoutMS  int      `json:"timeout_ms,omitempty"` // 0: 30 s
	Proof
}

// Proof is what proves a request beside its capability, and whether it is hidden on the way.
type Proof struct {
	Also       []string `json:"also,omitempty"`       // capabilities like the first, of the same service: the frames of all must hold
	Discharges []string `json:"discharges,omitempty"` // "edis1_...": the words of guards that frames demand
	Private    bool     `json:"private,omitempty"`    // hide code, names and payloads from everybody between this node and the service
}

// CallResult is what a service answered.
type CallResult struct {
	Service string `json:"service"`
	Code    string `json:"code"` // "2.04"
	Payload []byte `json:"payload,omitempty"`
	Format  *int   `json:"format,omitempty"` // Content-Format
	// Tagged is whether the answer carries a tag that only the service can make. An answer without is unverified.
	Tagged     bool   `json:"tagged"`
	By         string `json:"by"`               // "device", "node", "mirror", "unverified, via 12D3KooW..."
	Reason     uint8  `json:"reason,omitempty"` // docs/spec/capability.md, Errors
	ReasonText string `json:"reason_text,omitempty"`
	Frame      int    `json:"frame,omitempty"` // from 1; plus 16: the discharge of that frame; plus 32 for each capability before its own
	Constraint string `json:"constraint,omitempty"`
	Message    string `json:"message"` // for people: "ok", "denied by the device: frame 2 allows argument 0..30, not 90"
	TotalUS    int64  `json:"total_us"`
	Legs       []Leg  `json:"legs,omitempty"`
	Session    string `json:"session,omitempty"`  // "opened" or "reused"
	Sequence   uint32 `json:"sequence,omitempty"` // of the request in its session
	Capability string `json:"capability,omitempty"`
	RetryAfter int    `json:"retry_after_s,omitempty"`
}

// Leg is a part of the way of a request.
type Leg struct {
	Name string `json:"name"` // resolve, mesh, queue, link, device, home, total
	US   int64  `json:"us"`
	// At is when the leg began, in microseconds after the request did. Legs inside the home node are placed by their
	// durations, without comparing clocks.
	At int64 `json:"at_us"`
}

// OK is whether the service did what was asked.
func (r *CallResult) OK() bool { return strings.HasPrefix(r.Code, "2.") }

// shortWait is the longest that a node which is merely busy asks callers to wait, in seconds.
const shortWait = 5

// Kind sorts an answer like an error; "" for success.
func (r *CallResult) Kind() Kind {
	switch {
	case r.OK():
		return ""
	case r.Code == "4.04" || r.Code == "5.02" || r.Code == "5.03" && r.RetryAfter > shortWait: // the last: not there now
		return NotFound
	case r.Code == "4.01" || r.Code == "4.03":
		return Denied
	case r.Code == "5.04" || r.Code == "4.29": // the node waited as it was told, until the time was over
		return Timeout
	default:
		return Failed
	}
}

// Err returns the answer as an error; nil for success.
func (r *CallResult) Err() error {
	kind := r.Kind()
	if kind == "" {
		return nil
	}
	e := &Error{Kind: kind, Message: r.Message}
	if kind == Denied {
		e.Denial = &Denial{By: r.By, Verified: r.Tagged, Reason: r.Reason, Text: r.ReasonText, Frame: r.Frame, Constraint: r.Constraint}
	}
	return e
}

// Timeout returns the request's bound.
func (r *CallRequest) Timeout() time.Duration {
	if r.TimeoutMS <= 0 {
		return 30 * time.Second
	}
	return time.Duration(r.TimeoutMS) * time.Millisecond
}
