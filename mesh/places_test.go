package mesh

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/internal/repository"
)

// pipeStream is a stream of another node that needs no host.
type pipeStream struct {
	network.Stream
	pipe net.Conn
	from pipeConn
}

func (s pipeStream) Conn() network.Conn                 { return s.from }
func (s pipeStream) Close() error                       { return s.pipe.Close() }
func (s pipeStream) Reset() error                       { return s.pipe.Close() }
func (s pipeStream) Read(b []byte) (int, error)         { return s.pipe.Read(b) }
func (s pipeStream) Write(b []byte) (int, error)        { return s.pipe.Write(b) }
func (s pipeStream) SetReadDeadline(t time.Time) error  { return s.pipe.SetReadDeadline(t) }
func (s pipeStream) SetWriteDeadline(t time.Time) error { return s.pipe.SetWriteDeadline(t) }

type pipeConn struct {
	network.Conn
	id   peer.ID
	addr ma.Multiaddr
}

func (c pipeConn) RemotePeer() peer.ID           { return c.id }
func (c pipeConn) RemoteMultiaddr() ma.Multiaddr { return c.addr }

// door is a node's side of the streams, and those who come to it. It needs a synctest bubble.
type door struct {
	streams *Streams
	wg      sync.WaitGroup
}

// newDoor answers /ok with a tagged success, and everything else with an untagged refusal.
func newDoor() *door {
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	return &door{streams: &Streams{
		ctx: ctx, cancel: cancel, log: log, places: newPlaces(defaultPlaceLimits, log),
		handler: coap.HandlerFunc(func(_ context.Context, _ coap.Source, req *coap.Message) *coap.Message {
			time.Sleep(50 * time.Millisecond) // a device's exchange, on the bubble's clock
			if req.Path() != "/ok" {
				return &coap.Message{Code: coap.CodeUnauthorized, Payload: []byte{6}}
			}
			m := &coap.Message{Code: coap.CodeContent}
			m.Add(coap.OptionResponse, make([]byte, 14))
			return m
		}),
	}}
}

// open opens a stream as a peer from an IP address.
func (d *door) open(id peer.ID, ip string) net.Conn {
	here, there := net.Pipe()
	s := pipeStream{pipe: there, from: pipeConn{id: id, addr: ma.StringCast("/ip4/" + ip + "/tcp/4001")}}
	d.wg.Go(func() { d.streams.accept(s) })
	return here
}

// call opens a stream, makes a request for path, and closes the stream.
func (d *door) call(id peer.ID, ip, path string) error {
	c := coap.NewClient(d.open(id, ip), coap.StreamConfig{})
	defer c.Close()
	req, err := coap.NewRequest(coap.CodeGET, path, nil, nil)
	if err != nil {
		return err
	}
	_, err = c.Do(context.Background(), req)
	return err
}

func (d *door) close() {
	d.streams.cancel()
	d.wg.Wait()
}

// TestStrangersHoldNoPlaces lets strangers come back a second after they lose a stream, while honest callers from
// addresses of their own call once each, and one that is proved comes again and again.
func TestStrangersHoldNoPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		identities, addresses int
		greet                 bool
	}{
		"130 identities that send nothing":        {130, 130, false},
		"130 identities that send a CSM":          {130, 130, true},
		"260 identities of 2 addresses, with CSM": {260, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor()
				ctx, cancel := context.WithCancel(context.Background())
				var attackers sync.WaitGroup
				for i := range c.identities {
					id, ip := peer.ID(fmt.Sprint("stranger ", i)), fmt.Sprintf("192.0.2.%d", i%c.addresses)
					for range 4 {
						attackers.Go(func() {
							for ctx.Err() == nil {
								conn := d.open(id, ip)
								stop := context.AfterFunc(ctx, func() { conn.Close() })
								if c.greet {
									_, _ = conn.Write([]byte{0x00, 0xE1})
								}
								_, _ = io.Copy(io.Discard, conn)
								stop()
								conn.Close()
								time.Sleep(time.Second)
							}
						})
					}
				}
				time.Sleep(20 * time.Second)
				honest, failed := 200, 0
				for i := range honest {
					id, ip := peer.ID(fmt.Sprint("honest ", i)), fmt.Sprintf("198.51.100.%d", i%250)
					if i%2 == 0 {
						id, ip = "proved", "192.0.2.1" // behind the attackers' address
					}
					if err := d.call(id, ip, "/ok"); err != nil {
						failed++
					}
					time.Sleep(200 * time.Millisecond)
				}
				counts := d.streams.Counts()
				t.Logf("%d of %d honest calls succeed; %+v", honest-failed, honest, counts)
				if failed*100 > honest {
					t.Errorf("%d of %d honest calls failed", failed, honest)
				}
				if limit := defaultPlaceLimits.Unproved; counts.Open-counts.Proved > limit {
					t.Errorf("%d streams of strangers, more than %d", counts.Open-counts.Proved, limit)
				}
				cancel()
				attackers.Wait()
				d.close()
				if counts := d.streams.Counts(); counts.Open != 0 || d.streams.places.strange != 0 || len(d.streams.places.groups) != 0 {
					t.Errorf("%+v after all streams ended", counts)
				}
			})
		})
	}
}

// TestIdleStreams: a stream on which nothing was proved ends when it was idle for too long; one of a proved peer stays.
func TestIdleStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor()
		for path, stays := range map[string]bool{"/ok": true, "/no": false} {
			c := coap.NewClient(d.open(peer.ID(path), "192.0.2.1"), coap.StreamConfig{})
			req, err := coap.NewRequest(coap.CodeGET, path, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Do(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			time.Sleep(defaultPlaceLimits.Idle - time.Second)
			if c.Err() != nil {
				t.Errorf("%s: ended too early: %v", path, c.Err())
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if open := c.Err() == nil; open != stays {
				t.Errorf("%s: open %v, want %v", path, open, stays)
			}
			c.Close()
		}
		d.close()
	})
}

// TestPlacesSpec holds docs/spec/wire.md and the limits of streams together.
func TestPlacesSpec(t *testing.T) {
	l := defaultPlaceLimits
	repository.PageSays(t, "wire.md",
		fmt.Sprintf("%d streams of other nodes, %d of one peer", l.Total, l.Peer),
		fmt.Sprintf("At most %d of them are of peers that proved nothing, and %d of one group", l.Unproved, l.Group),
		fmt.Sprintf("had no request under way for %d s", l.Idle/time.Second),
		fmt.Sprintf("%d requests under way per peer", maxInFlight),
	)
}
