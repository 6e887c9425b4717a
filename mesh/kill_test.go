package mesh

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/coap"
)

// peerKeyEnv makes TestPeerProcess the peer of another test. It holds that peer's key, which belongs to the test alone.
const (
	peerKeyEnv    = "EDGEISTRY_TEST_PEER_KEY"
	peerListenEnv = "EDGEISTRY_TEST_PEER_LISTEN"
)

// TestPeerProcess is not a test of its own: as a process of its own it is a node that answers every request, until it is
// killed.
func TestPeerProcess(t *testing.T) {
	if os.Getenv(peerKeyEnv) == "" {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(os.Getenv(peerKeyEnv))
	if err != nil {
		t.Fatal(err)
	}
	key, err := crypto.UnmarshalPrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHost(HostConfig{Key: key, Listen: []string{os.Getenv(peerListenEnv)}, Protocols: []protocol.ID{coap.ProtocolID}})
	if err != nil {
		t.Fatal(err)
	}
	m := NewStreams(h, coap.HandlerFunc(func(context.Context, coap.Source, *coap.Message) *coap.Message {
		return &coap.Message{Code: coap.CodeContent}
	}), slog.New(slog.DiscardHandler))
	m.Serve()
	fmt.Println("peer at", h.Addrs()[0])
	select {}
}

// startPeer runs the peer as a process and returns it with its address.
func startPeer(t *testing.T, key crypto.PrivKey, listen string) (*exec.Cmd, string) {
	t.Helper()
	raw, err := crypto.MarshalPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPeerProcess$")
	cmd.Env = append(os.Environ(), peerKeyEnv+"="+base64.StdEncoding.EncodeToString(raw), peerListenEnv+"="+listen)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "peer at "); ok {
			return cmd, at
		}
	}
	t.Fatalf("the peer did not start: %v", lines.Err())
	return nil, ""
}

// TestPeerKilled kills a peer under a stream and starts it again on the same port 0.4 s later. A request that is sent in
// between, or after, is answered within seconds. A peer that hangs or does not come back is given up within seconds too:
// nothing tells the caller over QUIC that the connection is dead.
func TestPeerKilled(t *testing.T) {
	for _, listen := range []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"} {
		for _, tt := range []struct {
			name   string
			signal syscall.Signal
			before bool // the request is sent before the peer is back
			back   bool
		}{
			{"asked when it is back", syscall.SIGKILL, false, true},
			{"asked while it is away", syscall.SIGKILL, true, true},
			{"not back", syscall.SIGKILL, true, false},
			{"hangs", syscall.SIGSTOP, true, false},
		} {
			t.Run(strings.Split(listen, "/")[3]+" "+tt.name, func(t *testing.T) {
				t.Parallel()
				key := hostTestKey(t)
				id, err := peer.IDFromPrivateKey(key)
				if err != nil {
					t.Fatal(err)
				}
				cmd, at := startPeer(t, key, listen)
				h := hostTestStart(t, HostConfig{Listen: []string{listen}, Protocols: []protocol.ID{coap.ProtocolID}})
				m := NewStreams(h, nil, slog.New(slog.DiscardHandler))
				defer m.Close()
				home := peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{ma.StringCast(at)}}
				ask := func() (time.Duration, error) {
					req, err := coap.NewRequest(coap.CodeGET, "/l/events", nil, nil)
					if err != nil {
						return 0, err
					}
					began := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
					defer cancel()
					_, err = m.ask(ctx, home, req)
					return time.Since(began), err
				}
				if _, err := ask(); err != nil {
					t.Fatal(err)
				}
				if err := cmd.Process.Signal(tt.signal); err != nil {
					t.Fatal(err)
				}
				if tt.signal == syscall.SIGKILL {
					_ = cmd.Wait()
				} else {
					hostTestUntil(t, "the stop of the peer", func() bool {
						stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid))
						return err == nil && strings.Contains(string(stat), ") T ")
					})
				}
				type result struct {
					took time.Duration
					err  error
				}
				asked := make(chan result, 1)
				send := func() { took, err := ask(); asked <- result{took, err} }
				if tt.before {
					go send()
				}
				if tt.back {
					away := time.NewTimer(400 * time.Millisecond) // the case itself, not a wait for something
					<-away.C
					startPeer(t, key, at)
				}
				if !tt.before {
					go send()
				}
				got := <-asked
				t.Logf("%v: %v", got.took.Round(time.Millisecond), got.err)
				// Over TCP the kernel refuses at once while the peer is away.
				refused := tt.before && got.err != nil && strings.Contains(got.err.Error(), "refused")
				if tt.back && got.err != nil && !refused || !tt.back && got.err == nil {
					t.Errorf("ask = %v", got.err)
				}
				if got.took > 15*time.Second || tt.back && got.took > 7*time.Second {
					t.Errorf("ask ended after %v", got.took)
				}
			})
		}
	}
}

// TestSlowAnswer has a peer that takes longer for an answer than a silent connection is trusted: it answers the probe, so
// the connection stays and the request runs once.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	listen := "/ip4/127.0.0.1/udp/0/quic-v1"
	server := hostTestStart(t, HostConfig{Listen: []string{listen}, Protocols: []protocol.ID{coap.ProtocolID}})
	var runs atomic.Int32
	ms := NewStreams(server, coap.HandlerFunc(func(ctx context.Context, _ coap.Source, _ *coap.Message) *coap.Message {
		runs.Add(1)
		slow := time.NewTimer(silentTime + probeTime + time.Second)
		defer slow.Stop()
		select {
		case <-slow.C:
		case <-ctx.Done():
		}
		return &coap.Message{Code: coap.CodeContent}
	}), slog.New(slog.DiscardHandler))
	ms.Serve()
	defer ms.Close()
	client := hostTestStart(t, HostConfig{Listen: []string{listen}, Protocols: []protocol.ID{coap.ProtocolID}})
	mc := NewStreams(client, nil, slog.New(slog.DiscardHandler))
	defer mc.Close()
	req, err := coap.NewRequest(coap.CodeGET, "/l/events", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := mc.ask(t.Context(), peer.AddrInfo{ID: server.ID(), Addrs: server.Addrs()}, req)
	if err != nil || resp.Code != coap.CodeContent || runs.Load() != 1 {
		t.Errorf("ask = %+v, %v, after %d runs", resp, err, runs.Load())
	}
}
