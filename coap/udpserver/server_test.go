package udpserver_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link/linktest"
	"github.com/edgeistry/edgeistry/coap/udpserver"
	"github.com/edgeistry/edgeistry/proxy"
)

var (
	epochKey = capability.EpochKey{1, 2, 3}
	service  = edgeistry.ServiceID{ // some public key: nothing is signed here
		0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
		0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
	}
	quiet = slog.New(slog.DiscardHandler)
)

// direct is the link to a device in this process.
type direct struct{ device *linktest.Device }

func (l direct) Exchange(_ context.Context, req *coap.Message) (*coap.Message, coap.Legs, error) {
	raw, err := (&coap.Datagram{Message: *req}).Append(nil)
	if err != nil {
		return nil, coap.Legs{}, err
	}
	d, err := coap.DecodeDatagram(l.device.Handle(raw))
	if err != nil {
		return nil, coap.Legs{}, err
	}
	return &d.Message, coap.Legs{}, nil
}

// greenhouse is a proxy with one claimed device: what a node's CoAP port stands in front of.
func greenhouse(t *testing.T) (*proxy.Proxy, *linktest.Device) {
	t.Helper()
	p, err := proxy.New(proxy.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	device := linktest.Claimed(service.Hint(), epochKey)
	if err := p.AddDevice(service, device.Manifest, direct{device}); err != nil {
		t.Fatal(err)
	}
	return p, device
}

// request returns a request to a service by Uri-Host.
func request(t *testing.T, code uint8, path string, payload []byte) *coap.Message {
	t.Helper()
	m, err := coap.NewRequest(code, path, nil, payload)
	if err != nil {
		t.Fatal(err)
	}
	m.Add(coap.OptionURIHost, []byte(service.String()))
	return m
}

func listen(t *testing.T, h coap.Handler, cfg udpserver.Config) *udpserver.Server {
	t.Helper()
	cfg.Logger = quiet
	server, err := udpserver.Listen("127.0.0.1:0", h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func connect(t *testing.T, port *udpserver.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", port.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func write(t *testing.T, conn net.Conn, d coap.Datagram) {
	t.Helper()
	raw, err := d.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(raw); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, conn net.Conn) *coap.Datagram {
	t.Helper()
	buf := make([]byte, 2048)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	d, err := coap.DecodeDatagram(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestInteropLibcoap reads a device's /.well-known/core with a client that is not ours.
func TestInteropLibcoap(t *testing.T) {
	client, err := exec.LookPath("coap-client-notls")
	if err != nil {
		t.Fatal("coap-client-notls is missing: apt-get install libcoap3-bin")
	}
	p, device := greenhouse(t)
	port := listen(t, p, udpserver.Config{})
	node := "coap://" + port.Addr().String()
	links, err := coap.EncodeLinks(device.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"Proxy-Uri", []string{"-P", node, "coap://" + service.String() + "/.well-known/core"}, string(links)},
		{"Uri-Host", []string{"-O", "3," + service.String(), node + "/.well-known/core"}, string(links)},
		{"not to be confirmed", []string{"-N", "-O", "3," + service.String(), node + "/.well-known/core"}, string(links)},
		{"in blocks of 16", []string{"-b", "16", "-O", "3," + service.String(), node + "/.well-known/core"}, string(links)},
		{"hop limit", []string{"-H", "2", "-O", "3," + service.String(), node + "/.well-known/core"}, string(links)},
		{"the node's list", []string{node + "/.well-known/core"}, "<coap://" + service.String() + "/.well-known/core>"},
		{"elsewhere", []string{"-P", node, "coap://127.0.0.1/.well-known/core"}, "5.05"},
		{"no capability", []string{"-O", "3," + service.String(), node + "/l/temperature"}, "4.01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			out, err := exec.CommandContext(ctx, client, append([]string{"-B", "10"}, c.args...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if !strings.Contains(string(out), c.want) {
				t.Errorf("coap-client says %q, want %q", out, c.want)
			}
		})
	}
}

func TestPortMessages(t *testing.T) {
	p, _ := greenhouse(t)
	port := listen(t, p, udpserver.Config{})
	conn := connect(t, port)
	hello := *request(t, coap.CodePOST, "/h", make([]byte, 20))
	illegal := hello
	illegal.Options = append([]coap.Option{{Number: coap.OptionIfNoneMatch, Value: []byte{1}}}, hello.Options...)
	illegal.Options[0], illegal.Options[1] = illegal.Options[1], illegal.Options[0] // ascending
	for _, c := range []struct {
		name string
		in   coap.Datagram
		typ  coap.Type
		code uint8
	}{
		{"ping", coap.Datagram{Type: coap.Confirmable, ID: 1}, coap.Reset, 0},
		{"an answer to nothing", coap.Datagram{Type: coap.Confirmable, ID: 2, Message: coap.Message{Code: coap.CodeContent}}, coap.Reset, 0},
		{"illegal option", coap.Datagram{Type: coap.Confirmable, ID: 3, Token: []byte{3}, Message: illegal}, coap.Acknowledgement, coap.CodeBadOption},
		{"not to be confirmed", coap.Datagram{Type: coap.NonConfirmable, ID: 4, Token: []byte{4}, Message: hello}, coap.NonConfirmable, coap.CodeForbidden},
		{"confirmable", coap.Datagram{Type: coap.Confirmable, ID: 5, Token: []byte{5}, Message: hello}, coap.Acknowledgement, coap.CodeForbidden},
	} {
		write(t, conn, c.in)
		out := receive(t, conn)
		if out.Type != c.typ || c.typ != coap.Reset && !bytes.Equal(out.Token, c.in.Token) || c.typ != coap.NonConfirmable && out.ID != c.in.ID {
			t.Errorf("%s: answer %+v", c.name, out)
		}
		if c.code != coap.CodeForbidden && out.Message.Code != c.code {
			t.Errorf("%s: code %s, want %s", c.name, coap.CodeText(out.Message.Code), coap.CodeText(c.code))
		}
	}
	for _, silent := range [][]byte{{}, {0x40}, {0x50, 1, 2, 3, 0xF0}, {0x00, 1, 2, 3}, {0xC0, 1, 2, 3}, {0x60, 0, 0, 1}, {0x70, 0, 0, 1}, {0x50, 0, 0, 1}} {
		if _, err := conn.Write(silent); err != nil {
			t.Fatal(err)
		}
	}
	for _, rejected := range [][]byte{{0x49, 1, 2, 3}, {0x40, 1, 2, 3, 0xF0}, append([]byte{0x40, 1, 2, 3}, make([]byte, coap.MaxDatagram)...)} {
		if _, err := conn.Write(rejected); err != nil {
			t.Fatal(err)
		}
		if out := receive(t, conn); out.Type != coap.Reset || out.ID != 0x0203 { // and so nothing came for the silent ones
			t.Errorf("%.8x gets %+v, want a reset", rejected, out)
		}
	}
}

// TestPortRepeats: a message that comes again gets the same answer, and nothing runs twice.
func TestPortRepeats(t *testing.T) {
	var runs atomic.Int32
	h := coap.HandlerFunc(func(context.Context, coap.Source, *coap.Message) *coap.Message {
		return &coap.Message{Code: coap.CodeChanged, Payload: []byte{byte(runs.Add(1))}}
	})
	port := listen(t, h, udpserver.Config{})
	conn := connect(t, port)
	post := coap.Datagram{Type: coap.Confirmable, ID: 9, Token: []byte{1}, Message: *request(t, coap.CodePOST, "/f/valve", nil)}
	for range 3 {
		write(t, conn, post)
		if out := receive(t, conn); out.ID != 9 || !bytes.Equal(out.Message.Payload, []byte{1}) {
			t.Errorf("answer %+v, want the first one", out)
		}
	}
	post.ID = 10
	write(t, conn, post)
	if out := receive(t, conn); !bytes.Equal(out.Message.Payload, []byte{2}) {
		t.Errorf("answer to another message: %+v", out)
	}
	another := connect(t, port)
	write(t, another, post)
	if out := receive(t, another); !bytes.Equal(out.Message.Payload, []byte{3}) {
		t.Errorf("answer to another source: %+v", out)
	}
}

// TestPortSeparateAnswer: what takes long is acknowledged first and answered in a message of its own.
func TestPortSeparateAnswer(t *testing.T) {
	release := make(chan struct{})
	var runs atomic.Int32
	h := coap.HandlerFunc(func(ctx context.Context, _ coap.Source, _ *coap.Message) *coap.Message {
		runs.Add(1)
		select {
		case <-release:
		case <-ctx.Done():
		}
		return &coap.Message{Code: coap.CodeChanged}
	})
	conn := connect(t, listen(t, h, udpserver.Config{}))
	post := coap.Datagram{Type: coap.Confirmable, ID: 9, Token: []byte{1}, Message: *request(t, coap.CodePOST, "/f/valve", nil)}
	write(t, conn, post)
	write(t, conn, post) // a repetition while it is under way
	if out := receive(t, conn); out.Type != coap.Acknowledgement || out.ID != 9 || out.Message.Code != 0 {
		t.Fatalf("first comes %+v, want an empty acknowledgement", out)
	}
	write(t, conn, post)
	if out := receive(t, conn); out.Type != coap.Acknowledgement || out.ID != 9 {
		t.Fatalf("a repetition gets %+v, want the acknowledgement", out)
	}
	close(release)
	out := receive(t, conn)
	if out.Type != coap.Confirmable || !bytes.Equal(out.Token, []byte{1}) || out.Message.Code != coap.CodeChanged {
		t.Fatalf("then comes %+v, want the answer", out)
	}
	again := receive(t, conn) // it was not acknowledged
	if again.ID != out.ID {
		t.Errorf("then %+v, want the answer again", again)
	}
	write(t, conn, coap.Datagram{Type: coap.Acknowledgement, ID: out.ID})
	if runs.Load() != 1 {
		t.Errorf("it ran %d times", runs.Load())
	}
}

func TestPortIsBounded(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	h := coap.HandlerFunc(func(context.Context, coap.Source, *coap.Message) *coap.Message {
		<-release
		return nil
	})
	conn := connect(t, listen(t, h, udpserver.Config{Workers: 2}))
	for id := range uint16(3) {
		write(t, conn, coap.Datagram{Type: coap.Confirmable, ID: id, Message: *request(t, coap.CodePOST, "/f/valve", nil)})
	}
	if out := receive(t, conn); out.ID != 2 || out.Message.Code != coap.CodeUnavailable {
		t.Errorf("the third of two at a time gets %+v, want 5.03", out)
	}
}

// TestPortGarbage: 100,000 random and mutated datagrams; an honest reader is served all the while, memory stays flat, and
// nobody gets more bytes than it sent, but for what it may read.
func TestPortGarbage(t *testing.T) {
	const total = 100_000
	p, _ := greenhouse(t)
	port := listen(t, p, udpserver.Config{})
	honest := connect(t, port)
	var id uint16
	serve := func() {
		t.Helper()
		for range 20 { // as a client does: datagrams get lost on a full socket, and "come again" means to wait
			id++
			if err := honest.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
				t.Fatal(err)
			}
			write(t, honest, coap.Datagram{Type: coap.Confirmable, ID: id, Token: []byte{1}, Message: *request(t, coap.CodeGET, "/.well-known/core", nil)})
			buf := make([]byte, 2048)
			n, err := honest.Read(buf)
			if err != nil {
				continue
			}
			if d, err := coap.DecodeDatagram(buf[:n]); err == nil && d.Message.Code == coap.CodeContent {
				return
			}
			<-time.After(100 * time.Millisecond)
		}
		t.Fatal("an honest request was not served")
	}
	serve()
	random := rand.New(rand.NewPCG(3, 4))
	seeds := mutable(t)
	attacker := connect(t, port)
	go func() { // its answers are read away
		buf := make([]byte, 2048)
		for {
			if _, err := attacker.Read(buf); errors.Is(err, net.ErrClosed) {
				return
			}
		}
	}()
	before := heap()
	if err := attacker.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	sent, lost := uint64(0), uint64(0)
	for i := range total {
		if raw := mutate(random, seeds); i%10 != 0 { // most come from many sources, without the socket's loss
			port.Take(raw, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 9))
			sent++
		} else if _, err := attacker.Write(raw); err == nil {
			sent++
		}
		waiting := time.Time{}
		for sent-lost > port.Stats().Received+100 { // not faster than the port reads, so that each one counts
			if time.Sleep(50 * time.Microsecond); waiting.IsZero() {
				waiting = time.Now()
			} else if time.Since(waiting) > 100*time.Millisecond {
				lost = sent - port.Stats().Received
			}
		}
		if i%10_000 == 9_999 {
			serve()
		}
	}
	if s := port.Stats(); s.Received < total*9/10 || s.Malformed == 0 {
		t.Errorf("%+v of %d sent", s, sent)
	}
	if after := heap(); after > before+8<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	serve()
}

func heap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// mutable returns messages that are right, to be spoiled.
func mutable(t *testing.T) [][]byte {
	t.Helper()
	open := request(t, coap.CodePOST, "/f/valve", []byte{20})
	open.Add(coap.OptionRequest, append([]byte{0x1F, 0xFF}, make([]byte, 60)...))
	session := request(t, coap.CodeGET, "/l/temperature", nil)
	session.Add(coap.OptionRequest, append([]byte{0x20}, make([]byte, 16)...))
	byURI := &coap.Message{Code: coap.CodeGET}
	byURI.Add(coap.OptionProxyURI, []byte("coap://"+service.String()+"/.well-known/core?x=1"))
	var seeds [][]byte
	for _, m := range []*coap.Message{
		request(t, coap.CodeGET, "/.well-known/core", nil), request(t, coap.CodePOST, "/h", make([]byte, 20)), open, session, byURI,
	} {
		raw, err := (&coap.Datagram{Type: coap.Confirmable, Token: []byte{1, 2}, Message: *m}).Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		seeds = append(seeds, raw)
	}
	return seeds
}

func mutate(random *rand.Rand, seeds [][]byte) []byte {
	if random.IntN(3) == 0 {
		b := make([]byte, random.IntN(100))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	b := bytes.Clone(seeds[random.IntN(len(seeds))])
	b[2], b[3] = byte(random.Uint32()), byte(random.Uint32())
	for range random.IntN(4) {
		switch at := random.IntN(len(b)); random.IntN(3) {
		case 0:
			b[at] ^= 1 << random.IntN(8)
		case 1:
			b[at] = byte(random.Uint32())
		case 2:
			if at > 4 {
				b = b[:at]
			}
		}
	}
	return b
}

func TestPortClose(t *testing.T) {
	p, _ := greenhouse(t)
	port := listen(t, p, udpserver.Config{})
	if err := errors.Join(port.Close(), port.Close(), p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
}
