package dht

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/internal/dialerror"
)

// logBuffer is a log that a test reads while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestSeedCauses configures a seed wrongly in each way. The status names the cause, and the log
// names it once although the node tries again and again.
func TestSeedCauses(t *testing.T) {
	good := startNode(t)
	campus := startNodeWith(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "campus", Datastore: memory(), Limits: quick()})
	plain := startHost(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0")
	nobody := testPeer(t, 99)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	for _, tt := range []struct {
		name  string
		seed  peer.AddrInfo
		cause dialerror.Cause
		text  string
	}{
		{"mesh name", campus.info(), dialerror.OtherMesh, "answers, but is of another mesh: campus, not farm"},
		{"port", peer.AddrInfo{ID: good.ID(), Addrs: []ma.Multiaddr{ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port))}}, dialerror.Refused, fmt.Sprintf("connection refused at /ip4/127.0.0.1/tcp/%d", port)},
		{"peer ID", peer.AddrInfo{ID: nobody, Addrs: good.Addrs()}, dialerror.OtherNode, "is node " + good.ID().String() + ", expected " + nobody.String()},
		{"DNS name", peer.AddrInfo{ID: good.ID(), Addrs: []ma.Multiaddr{ma.StringCast("/dns4/nowhere.invalid/tcp/7776")}}, dialerror.NoSuchHost, "no such host: nowhere.invalid"},
		{"another program", peer.AddrInfo{ID: plain.ID(), Addrs: plain.Addrs()}, dialerror.NotANode, "answers, but is no edgeistry node"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &logBuffer{}
			n := startNodeWith(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0", Config{
				Mesh: "farm", Datastore: memory(), Seeds: []peer.AddrInfo{tt.seed}, Limits: quick(),
				Logger: slog.New(slog.NewTextHandler(log, nil)),
			})
			until(t, "the cause", func() bool {
				s := n.reg.Status().Seeds
				if len(s) != 1 || s[0].Err == nil {
					return false
				}
				var e *dialerror.Error
				return errors.As(s[0].Err, &e) && e.Cause == tt.cause && strings.Contains(e.Text, tt.text) && (s[0].Failures > 2 || s[0].Connected)
			})
			if got := strings.Count(log.String(), "seed not reached"); got != 1 {
				t.Errorf("the log names the cause %d times, want once: %s", got, log)
			}
		})
	}
}

// TestSeedReached has the cause of a failure go when the seed comes.
func TestSeedReached(t *testing.T) {
	seed := startNode(t)
	at := seed.info()
	seed.stop()
	log := &logBuffer{}
	n := startNodeWith(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0", Config{
		Mesh: "farm", Datastore: memory(), Seeds: []peer.AddrInfo{at}, Limits: quick(), Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	until(t, "a failed attempt", func() bool { return n.reg.Status().Seeds[0].Err != nil })
	startNodeWith(t, seed.key, at.Addrs[0].String(), Config{Mesh: "farm", Datastore: memory(), Limits: quick()})
	until(t, "connection to the seed", func() bool { s := n.reg.Status().Seeds[0]; return s.Connected && s.Err == nil })
	if !strings.Contains(log.String(), "seed reached") {
		t.Errorf("the log does not say that the seed was reached: %s", log)
	}
}
