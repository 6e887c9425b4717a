package api

import (
	"context"
	"time"
)

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
	// Cause is set where the device answers and refuses its home: "other epoch", "other generation" or "not claimed".
	Cause    string `json:"cause,omitempty"`
	Boot     uint32 `json:"boot,omitempty"`
	ClockSet bool   `json:"clock_set"`
	// ClockAheadS and ClockBehindS are by how many seconds, at least, the device's clock was off when it was compared with the node's.
	ClockAheadS  int `json:"clock_ahead_s,omitempty"`
	ClockBehindS int `json:"clock_behind_s,omitempty"`
	// ClockRefused: the device refuses the node's time, since it was told a later one.
	ClockRefused bool      `json:"clock_refused,omitempty"`
	Logs         []LogHead `json:"logs,omitempty"` // as mirrored
}

// DeviceClockRequest compares a device's clock with the node's, or sets it.
type DeviceClockRequest struct {
	Device    string `json:"device"`        // ID or local name
	Set       bool   `json:"set,omitempty"` // to the node's time, back too
	TimeoutMS int    `json:"timeout_ms,omitempty"`
}

// DeviceClock is how a device's clock stands to the node's: both 0 if it is off by less than a minute. What it is off by is at least that:
// a year, 30 days, a day, an hour or a minute.
type DeviceClock struct {
	Service string    `json:"service"`
	Name    string    `json:"name,omitempty"`
	Node    time.Time `json:"node"` // what the node's clock says
	Set     bool      `json:"set,omitempty"`
	Unknown bool      `json:"unknown,omitempty"` // the device does not know the time, so it cannot be compared
	Refused bool      `json:"refused,omitempty"` // it refused the node's time, since it was told a later one
	AheadS  int       `json:"ahead_s"`
	BehindS int       `json:"behind_s"`
}

// DeviceClock compares a device's clock with the node's, or sets it.
func (c *Client) DeviceClock(ctx context.Context, req DeviceClockRequest) (*DeviceClock, error) {
	return post[DeviceClock](ctx, c, "/v1/devices/clock", req)
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
