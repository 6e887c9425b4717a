package relay

import (
	"errors"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
)

// Limits bounds what a Service does for others. A zero field takes its value from DefaultLimits.
type Limits struct {
	Data              int64         // bytes of a circuit in each direction; then it is reset
	Duration          time.Duration // of a circuit; then it is reset
	Reservations      int           // nodes that may be reached through this relay
	ReservationsPerIP int           // of them, at one address: a whole site can stand behind one NAT
	ReservationTime   time.Duration // of a reservation, until it is renewed
	Circuits          int           // open circuits of one peer
	Buffer            int           // bytes of memory for each direction of a circuit

	// Admit reports whether a peer may reserve and connect here; nil: everybody. A relay on the
	// internet should admit members of its mesh only, or strangers use its bandwidth.
	Admit func(peer.ID) bool
}

// DefaultLimits returns the limits that zero fields stand for. They carry a day's telemetry of a
// site and its firmware updates, and still end a forgotten circuit.
func DefaultLimits() Limits {
	return Limits{
		Data:              1 << 30,
		Duration:          12 * time.Hour,
		Reservations:      256,
		ReservationsPerIP: 64,
		ReservationTime:   time.Hour,
		Circuits:          64,
		Buffer:            4096,
	}
}

func (l Limits) withDefaults() (Limits, error) {
	d := DefaultLimits()
	if l.Data < 0 || l.Duration < 0 || l.Reservations < 0 || l.ReservationsPerIP < 0 || l.ReservationTime < 0 || l.Circuits < 0 || l.Buffer < 0 {
		return Limits{}, errors.New("a relay limit is negative")
	}
	if l.Data == 0 {
		l.Data = d.Data
	}
	if l.Duration == 0 {
		l.Duration = d.Duration
	}
	if l.Reservations == 0 {
		l.Reservations = d.Reservations
	}
	if l.ReservationsPerIP == 0 {
		l.ReservationsPerIP = d.ReservationsPerIP
	}
	if l.ReservationTime == 0 {
		l.ReservationTime = d.ReservationTime
	}
	if l.Circuits == 0 {
		l.Circuits = d.Circuits
	}
	if l.Buffer == 0 {
		l.Buffer = d.Buffer
	}
	return l, nil
}

// String returns the limits of a circuit as people read them.
func (l Limits) String() string {
	return fmt.Sprintf("%d MiB and %s a circuit, %d circuits a peer, %d reservations", l.Data>>20, l.Duration, l.Circuits, l.Reservations)
}

func (l Limits) resources() circuit.Resources {
	return circuit.Resources{
		Limit:                 &circuit.RelayLimit{Duration: l.Duration, Data: l.Data},
		ReservationTTL:        l.ReservationTime,
		MaxReservations:       l.Reservations,
		MaxReservationsPerIP:  l.ReservationsPerIP,
		MaxReservationsPerASN: l.Reservations,
		MaxCircuits:           l.Circuits,
		BufferSize:            l.Buffer,
	}
}
