package relay

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	circuit "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
)

// Service relays for other nodes of the mesh.
type Service struct {
	relay  *circuit.Relay
	limits Limits
	meter  *meter
}

// NewService offers circuit relay v2 on a host.
func NewService(h host.Host, limits Limits) (*Service, error) {
	limits, err := limits.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Service{limits: limits, meter: &meter{}}
	opts := []circuit.Option{
		circuit.WithResources(limits.resources()),
		circuit.WithMetricsTracer(s.meter),
		// By default a relay tells its clients its public addresses only; meshes live on private
		// ones too.
		circuit.WithReservationAddressFilter(func(ma.Multiaddr) bool { return true }),
	}
	if limits.Admit != nil {
		opts = append(opts, circuit.WithACL(admission{limits.Admit}))
	}
	if s.relay, err = circuit.New(h, opts...); err != nil {
		return nil, fmt.Errorf("start relay service: %w", err)
	}
	return s, nil
}

// Limits returns the limits in force, for people and for status.
func (s *Service) Limits() Limits { return s.limits }

// Stats counts what a Service does.
type Stats struct {
	Reservations int64 // held now
	Circuits     int64 // open now
	Bytes        int64 // relayed since the start
	Refused      int64 // requests for reservations and circuits refused since the start
}

// Stats returns the present counts.
func (s *Service) Stats() Stats {
	return Stats{
		Reservations: s.meter.reservations.Load(),
		Circuits:     s.meter.circuits.Load(),
		Bytes:        s.meter.bytes.Load(),
		Refused:      s.meter.refused.Load(),
	}
}

// Close stops relaying: reservations end and circuits that are open run out with their connections.
// It may be called twice.
func (s *Service) Close() error {
	if err := s.relay.Close(); err != nil {
		return fmt.Errorf("close relay service: %w", err)
	}
	return nil
}

// admission asks one function for both ends of everything.
type admission struct{ admit func(peer.ID) bool }

func (a admission) AllowReserve(p peer.ID, _ ma.Multiaddr) bool { return a.admit(p) }

func (a admission) AllowConnect(src peer.ID, _ ma.Multiaddr, _ peer.ID) bool { return a.admit(src) }

// meter counts what libp2p's relay reports.
type meter struct {
	reservations, circuits, bytes, refused atomic.Int64
}

var _ circuit.MetricsTracer = (*meter)(nil)

func (m *meter) RelayStatus(bool)               {}
func (m *meter) ConnectionOpened()              { m.circuits.Add(1) }
func (m *meter) ConnectionClosed(time.Duration) { m.circuits.Add(-1) }
func (m *meter) ReservationClosed(n int)        { m.reservations.Add(int64(-n)) }
func (m *meter) BytesTransferred(n int)         { m.bytes.Add(int64(n)) }

func (m *meter) ReservationAllowed(renewal bool) {
	if !renewal {
		m.reservations.Add(1)
	}
}

func (m *meter) ConnectionRequestHandled(status pb.Status)  { m.handled(status) }
func (m *meter) ReservationRequestHandled(status pb.Status) { m.handled(status) }

func (m *meter) handled(status pb.Status) {
	if status != pb.Status_OK {
		m.refused.Add(1)
	}
}
