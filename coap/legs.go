package coap

import (
	"encoding/binary"
	"errors"
	"time"
)

// Leg names a part of a request's way; docs/spec/wire.md defines each.
type Leg uint8

// The parts of a path that a trace times.
const (
	LegResolve Leg = 1 // finding the service's home node
	LegMesh    Leg = 2 // request to answer, seen from the caller's node
	LegQueue   Leg = 3 // waiting for the device's turn
	LegLink    Leg = 4 // bytes on the serial line at its baud rate
	LegDevice  Leg = 5 // exchange with the device less LegLink
	LegHome    Leg = 6 // everything at the home node
)

// String returns the name that people see.
func (l Leg) String() string {
	switch l {
	case LegResolve:
		return "resolve"
	case LegMesh:
		return "mesh"
	case LegQueue:
		return "queue"
	case LegLink:
		return "link"
	case LegDevice:
		return "device"
	case LegHome:
		return "home"
	}
	return "unknown"
}

// Timing is how long one leg took.
type Timing struct {
	Leg  Leg
	Took time.Duration
}

// Legs are the timings of one exchange with a device.
type Legs struct {
	Queue  time.Duration // until the link was free
	Link   time.Duration // computed: bits on the line over its baud rate; 0 where there is none
	Device time.Duration // request sent to answer received, less Link
}

const (
	traceVersion = 1
	maxTimings   = 12
)

// errTrace reports that an option value is no trace.
var errTrace = errors.New("malformed trace")

// EncodeTrace returns the value of the Trace option in a response: version 1, then u8 leg | u32 microseconds each.
func EncodeTrace(timings []Timing) []byte {
	b := []byte{traceVersion}
	for _, t := range timings[:min(len(timings), maxTimings)] {
		us := min(max(t.Took.Microseconds(), 0), 1<<32-1)
		b = append(b, byte(t.Leg))
		b = binary.BigEndian.AppendUint32(b, uint32(us))
	}
	return b
}

// DecodeTrace reads what EncodeTrace gives. Legs that it does not know are kept.
func DecodeTrace(b []byte) ([]Timing, error) {
	if len(b) < 1 || b[0] != traceVersion || (len(b)-1)%5 != 0 || len(b) > 1+5*maxTimings {
		return nil, errTrace
	}
	var timings []Timing
	for b = b[1:]; len(b) > 0; b = b[5:] {
		timings = append(timings, Timing{Leg(b[0]), time.Duration(binary.BigEndian.Uint32(b[1:])) * time.Microsecond})
	}
	return timings, nil
}
