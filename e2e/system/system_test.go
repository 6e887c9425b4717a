// Package system tests real nodes and real firmware as processes, beyond what the demo shows: a CoAP client that we did not write, and garbage.
package system

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/e2e/harness"
	"github.com/edgeistry/edgeistry/node/api"
)

const root = "../.."

// site is one node with one POSIX device that it has claimed as "shed".
type site struct {
	node    *harness.Node
	device  *harness.PosixDevice
	service string // k51...
	coap    string // host:port
}

// onLoopback has a node listen where another can reach it.
var onLoopback = []string{"--listen", "/ip4/127.0.0.1/tcp/0"}

// startNode runs a node of the mesh "test" in a folder of dir until the test ends; args are more arguments of its init.
func startNode(t *testing.T, ctx context.Context, dir, name string, args ...string) *harness.Node {
	t.Helper()
	node, err := harness.NewNode(ctx, harness.Built(root).Edgeistry, dir, name, append([]string{"--mesh", "test"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := node.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(); err != nil {
			t.Errorf("the node %s: %v", name, err)
		}
	})
	return node
}

// startSite runs a site; extra are more arguments of its init.
func startSite(t *testing.T, ctx context.Context, extra ...string) *site {
	t.Helper()
	dir, bin := t.TempDir(), harness.Built(root)
	s := &site{node: startNode(t, ctx, dir, "edge", slices.Concat(onLoopback, extra)...)}
	var err error
	if s.device, err = harness.StartPosixDevice(ctx, bin.Posix, dir, "device", "1000"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.device.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := s.node.CLI(ctx, "device", "claim", s.device.Setup.Text(), "--link", s.device.Link, "--name", "shed").Err(); err != nil {
		t.Fatal(err)
	}
	var r api.Resolution
	if err := s.node.JSON(ctx, &r, "service", "resolve", "shed"); err != nil {
		t.Fatal(err)
	}
	var status api.Status
	if err := s.node.JSON(ctx, &status, "status"); err != nil {
		t.Fatal(err)
	}
	s.service, s.coap = r.Service, status.CoAP
	return s
}

// TestCoapClient reads the device's /.well-known/core with Debian's libcoap client through the node's CoAP port.
func TestCoapClient(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	s := startSite(t, ctx)
	for name, args := range map[string][]string{
		"Proxy-Uri": {"-P", "coap://" + s.coap, "coap://" + s.service + "/.well-known/core"},
		"Uri-Host":  {"-O", "3," + s.service, "coap://" + s.coap + "/.well-known/core"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := exec.CommandContext(ctx, "coap-client-notls", append([]string{"-m", "get", "-B", "10"}, args...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("coap-client-notls %s: %v\n%s", strings.Join(args, " "), err, out)
			}
			for _, want := range []string{"</l/temperature>", "</f/valve>", "greenhouse/1.0"} {
				if !strings.Contains(string(out), want) {
					t.Errorf("answer %q, want %s in it", out, want)
				}
			}
		})
	}
}

// TestGarbage sends random and mutated datagrams to the node's CoAP port and to the device, while an honest caller works: nothing
// crashes, memory stays flat, the caller is served. EDGEISTRY_TORTURE makes it ten million.
func TestGarbage(t *testing.T) {
	total := 100_000
	if os.Getenv("EDGEISTRY_TORTURE") != "" {
		total = 10_000_000
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Hour)
	defer cancel()
	s := startSite(t, ctx)
	honest := func() error {
		return s.node.CLI(ctx, "call", "shed/valve", "20", "--cap", "shed/owner").Err()
	}
	if err := honest(); err != nil {
		t.Fatal(err)
	}
	targets := map[string]*harness.Process{s.coap: s.node.Process(), strings.TrimPrefix(s.device.Link, "udp:"): s.device.Process}
	resident := func(p *harness.Process) float64 {
		t.Helper()
		mb, err := p.ResidentMB()
		if err != nil {
			t.Fatal(err)
		}
		return mb
	}
	// Warm up first: buffers and pools reach their size under load, and only growth beyond that is a leak.
	for addr := range targets {
		flood(t, ctx, addr, total/10, 1)
	}
	before := map[*harness.Process]float64{}
	for _, p := range targets {
		before[p] = resident(p)
	}
	for addr := range targets {
		for part := range uint64(10) {
			flood(t, ctx, addr, total/10, 2+part)
			if err := honest(); err != nil {
				t.Fatalf("an honest call after %d datagrams: %v", (part+1)*uint64(total)/10, err)
			}
		}
	}
	for addr, p := range targets {
		after := resident(p)
		t.Logf("%s: %d datagrams, resident memory %.1f -> %.1f MB", addr, total, before[p], after)
		if after > before[p]*1.1+4 {
			t.Errorf("%s: resident memory grew from %.1f to %.1f MB", addr, before[p], after)
		}
	}
}

// flood sends n datagrams, half random and half real messages with a few bytes changed, and lets the receiver keep up.
func flood(t *testing.T, ctx context.Context, addr string, n int, seed uint64) {
	t.Helper()
	c, err := net.Dial("udp4", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := rand.New(rand.NewPCG(seed, 7))
	real := [][]byte{
		append([]byte{0x42, 0x01, 1, 2, 3, 4, 0xbb}, ".well-known\x04core"...),
		append([]byte{0x42, 0x02, 1, 2, 3, 4, 0xb1, 'h', 0xff}, make([]byte, 20)...),
		append([]byte{0x42, 0x02, 1, 2, 3, 4, 0xb1, 'f', 0x05, 'v', 'a', 'l', 'v', 'e', 0xed, 0xfc, 0xd1, 0x11, 0x20, 0}, make([]byte, 18)...),
		append([]byte{0x42, 0x02, 1, 2, 3, 4, 0xb1, 'k', 0xff, 1}, make([]byte, 32)...),
	}
	answers := make([]byte, 2048)
	for i := range n {
		var m []byte
		if i%2 == 0 {
			m = make([]byte, r.IntN(300))
			for j := range m {
				m[j] = byte(r.Uint32())
			}
		} else {
			m = append(m, real[r.IntN(len(real))]...)
			for range 1 + r.IntN(4) {
				m[r.IntN(len(m))] = byte(r.Uint32())
			}
		}
		_, _ = c.Write(m) // refused when the receiver's port is closed, which the honest call shows
		if i%64 == 63 {   // take the answers in, and give the receiver time: a full socket buffer would drop the rest unseen
			if ctx.Err() != nil {
				t.Fatal(ctx.Err())
			}
			_ = c.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
			for {
				if _, err := c.Read(answers); err != nil {
					break
				}
			}
		}
	}
}
