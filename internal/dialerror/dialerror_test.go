package dialerror

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"
)

func start(t *testing.T) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"),
		libp2p.DisableMetrics(), libp2p.ResourceManager(&network.NullResourceManager{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// TestExplain dials real addresses that fail in each way.
func TestExplain(t *testing.T) {
	a, b, gone := start(t), start(t), start(t)
	expected, left := gone.ID(), gone.Addrs()
	gone.Close()
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	go func() {
		for {
			c, err := web.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			c.Close()
		}
	}()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	tcp := func(l net.Listener) ma.Multiaddr {
		return ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port))
	}
	for _, tt := range []struct {
		name  string
		addrs []ma.Multiaddr
		cause Cause
		text  string
	}{
		{"wrong port", left[:1], Refused, "connection refused at /ip4/127.0.0.1/tcp/"},
		{"wrong node, TCP", b.Addrs()[:1], OtherNode, "is node " + b.ID().String() + ", expected " + expected.String() + " at /ip4/"},
		{"wrong node, QUIC", b.Addrs()[1:], OtherNode, "is node " + b.ID().String()},
		{"a web server", []ma.Multiaddr{tcp(web)}, NotANode, "what answers is no edgeistry node at /ip4/127.0.0.1/tcp/"},
		{"no answer", []ma.Multiaddr{tcp(mute)}, NoAnswer, "no answer in time"},
		{"no addresses", nil, NoAddress, "no address is known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.Network().(*swarm.Swarm).Backoff().Clear(expected)
			a.Peerstore().ClearAddrs(expected)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			e := Explain(a.Connect(ctx, peer.AddrInfo{ID: expected, Addrs: tt.addrs}))
			if e == nil || e.Cause != tt.cause || !strings.Contains(e.Text, tt.text) {
				t.Errorf("Explain = %+v, want %s: %s", e, tt.cause, tt.text)
			}
			if e != nil && tt.cause == OtherNode && e.Is != b.ID() {
				t.Errorf("who answered = %s, want %s", e.Is, b.ID())
			}
		})
	}
	if e := Explain(a.Connect(t.Context(), peer.AddrInfo{ID: a.ID(), Addrs: b.Addrs()})); e != nil && e.Cause != Self {
		t.Errorf("a dial of itself = %+v", e)
	}
	if Explain(nil) != nil {
		t.Error("Explain(nil) is an error")
	}
}

// TestExplainKinds has each kind of error as libp2p and the kernel return it, wrapped: no text of the Go runtime is left.
func TestExplainKinds(t *testing.T) {
	at := ma.StringCast("/ip4/192.0.2.1/tcp/7776")
	dial := func(causes ...error) error {
		e := &swarm.DialError{Peer: "x", Cause: swarm.ErrAllDialsFailed}
		for _, c := range causes {
			e.DialErrors = append(e.DialErrors, swarm.TransportError{Address: at, Cause: c})
		}
		return fmt.Errorf("failed to dial: %w", e)
	}
	for _, tt := range []struct {
		err   error
		cause Cause
		text  string
	}{
		{dial(context.DeadlineExceeded, syscall.ECONNREFUSED), Refused, "connection refused at /ip4/192.0.2.1/tcp/7776; no answer from /ip4/192.0.2.1/tcp/7776"},
		{dial(&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}), NoAnswer, "no answer from /ip4/192.0.2.1/tcp/7776"},
		{dial(syscall.EHOSTUNREACH), NoRoute, "no route to /ip4/192.0.2.1/tcp/7776"},
		{dial(syscall.ENETUNREACH), NoRoute, "no route to /ip4/192.0.2.1/tcp/7776"},
		{dial(&net.DNSError{Name: "cloud.example", IsNotFound: true}), NoSuchHost, "no such host: cloud.example"},
		{dial(&net.DNSError{Name: "cloud.example", IsTimeout: true}), NoSuchHost, "the name server does not answer for cloud.example"},
		{fmt.Errorf("failed to open stream: %w", context.DeadlineExceeded), NoAnswer, "no answer in time"},
		{fmt.Errorf("x: %w", context.Canceled), Interrupted, "the attempt was called off"},
		{fmt.Errorf("x: %w", swarm.ErrDialToSelf), Self, "is this node itself"},
		{fmt.Errorf("x: %w", network.ErrReset), Other, "the connection was reset"},
		{dial(errors.New("error opening relay circuit: NO_RESERVATION (204)")), NoPlace, "the relay does not hold a place for it at /ip4/192.0.2.1/tcp/7776"},
		{multistream.ErrNotSupported[protocol.ID]{Protos: []protocol.ID{"/a/1"}}, NoService, "answers, but does not speak [/a/1]"},
		{errors.New("odd: \n  * context deadline exceeded"), Other, "odd: no answer in time"},
	} {
		e := Explain(tt.err)
		if e.Cause != tt.cause || e.Text != tt.text {
			t.Errorf("Explain(%v) = %s: %q, want %s: %q", tt.err, e.Cause, e.Text, tt.cause, tt.text)
		}
		for _, raw := range []string{"context deadline", "context canceled", "i/o timeout", "\n"} {
			if strings.Contains(e.Text, raw) {
				t.Errorf("Explain(%v) = %q, with %q in it", tt.err, e.Text, raw)
			}
		}
	}
	if got := Explain(dial(errors.New("a"), errors.New("b"), errors.New("c"), errors.New("d"))).Text; got != "a; b; c; and 1 more addresses" {
		t.Errorf("many causes: %q", got)
	}
}

func TestLookUp(t *testing.T) {
	if e := LookUp(t.Context(), []ma.Multiaddr{ma.StringCast("/ip4/192.0.2.1/tcp/1"), ma.StringCast("/dns4/localhost/tcp/1")}); e != nil {
		t.Errorf("LookUp of names that resolve = %v", e)
	}
	if e := LookUp(t.Context(), []ma.Multiaddr{ma.StringCast("/dns4/nowhere.invalid/tcp/1")}); e == nil || e.Cause != NoSuchHost || !strings.Contains(e.Text, "nowhere.invalid") {
		t.Errorf("LookUp of a name that nobody has = %v", e)
	}
}
