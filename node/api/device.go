package api

import "time"

// Device is a device that this node is home to, as GET /v1/devices lists it.
type Device struct {
	Service  string    `json:"service"`
	Name     string    `json:"name,omitempty"`
	Link     string    `json:"link"`
	Board    string    `json:"board,omitempty"`
	Firmware string    `json:"firmware,omitempty"`
	Claimed  time.Time `json:"claimed"`
	// Reachable is whether the device answered its home node the last time; Seen is when it last did.
	Reachable bool      `json:"reachable"`
	Seen      time.Time `json:"seen,omitzero"`
	Problem   string    `json:"problem,omitempty"` // why it is not reachable
	Boot      uint32    `json:"boot,omitempty"`
	ClockSet  bool      `json:"clock_set"`
	Logs      []LogHead `json:"logs,omitempty"` // as mirrored
}

// LogHead is the head of a log by name.
type LogHead struct {
	Name string `json:"name"`
	Head
}

// ClaimRequest takes ownership of a factory-new device.
type ClaimRequest struct {
	SetupCode string `json:"setup_code"` // EDGDEV1-...
	Link      string `json:"link"`       // serial:/dev/ttyUSB0, udp:127.0.0.1:5690
	Name      string `json:"name,omitempty"`
}

// ClaimStep is one line of the answer to a claim: a step that is done.
type ClaimStep struct {
	Step int    `json:"step"`
	Of   int    `json:"of"`
	Text string `json:"text"`
}

// ClaimResult is the last line of the answer to a claim.
type ClaimResult struct {
	Service    string `json:"service"`
	Name       string `json:"name,omitempty"`
	Capability string `json:"capability"` // keychain name of the owner's capability
	Board      string `json:"board,omitempty"`
	Firmware   string `json:"firmware,omitempty"`
}

// claimLine is a line of the NDJSON answer.
type claimLine struct {
	ClaimStep
	Result *ClaimResult `json:"result,omitempty"`
	Error  *Error       `json:"error,omitempty"`
}
