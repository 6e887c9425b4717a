package link_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/creack/pty"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/coap/link"
	"github.com/edgeistry/edgeistry/coap/link/linktest"
)

var quiet = slog.New(slog.DiscardHandler)

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func core(t *testing.T) *coap.Message {
	t.Helper()
	m, err := coap.NewRequest(coap.CodeGET, "/.well-known/core", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func wantCore(t *testing.T, link *link.Link) {
	t.Helper()
	resp, err := link.Do(bounded(t), core(t))
	if err != nil {
		t.Fatal(err)
	}
	if m, err := coap.DecodeLinks(resp.Payload); err != nil || m.Board != "test" {
		t.Fatalf("core = %q, %v", resp.Payload, err)
	}
}

func device(t *testing.T) *linktest.Device {
	t.Helper()
	return linktest.Claimed([4]byte{1}, capability.EpochKey{2})
}

// udp serves a device on a socket and gives its address.
func udp(t *testing.T, d *linktest.Device) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { d.ServeUDP(socket) })
	t.Cleanup(func() {
		socket.Close()
		wg.Wait()
	})
	return socket.LocalAddr().String()
}

func open(t *testing.T, url string, cfg link.Config) *link.Link {
	t.Helper()
	cfg.Logger = quiet
	link, err := link.Open(url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	return link
}

func TestUDPLink(t *testing.T) {
	link := open(t, "udp:"+udp(t, device(t)), link.Config{})
	wantCore(t, link)
	_, legs, err := link.Exchange(bounded(t), core(t))
	if err != nil || legs.Link != 0 || legs.Device <= 0 {
		t.Errorf("Exchange: legs %+v, %v", legs, err)
	}
	if s := link.Stats(); s.Exchanges != 2 || s.BytesSent == 0 || s.BytesReceived <= s.BytesSent || s.Retransmissions != 0 {
		t.Errorf("Stats = %+v", s)
	}
}

// TestSerialLinkOnPTY drives a real terminal device through the serial library.
func TestSerialLinkOnPTY(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tty")
	d := device(t)
	plug := func() (unplug func()) {
		master, slave, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(slave.Name(), path); err != nil {
			t.Fatal(err)
		}
		fd, err := syscall.Dup(int(master.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.SetNonblock(fd, true); err != nil { // so that Close ends a Read
			t.Fatal(err)
		}
		far := os.NewFile(uintptr(fd), "pty")
		var wg sync.WaitGroup
		wg.Go(func() { d.ServeSerial(far) })
		return func() {
			os.Remove(path)
			slave.Close()
			master.Close()
			far.Close()
			wg.Wait()
		}
	}
	unplug := plug()
	link := open(t, "serial:"+path, link.Config{})
	wantCore(t, link)
	unplug()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := link.Do(ctx, core(t)); err == nil {
		t.Error("an unplugged device answered")
	}
	unplug = plug()
	defer unplug()
	if err := link.Up(bounded(t)); err != nil {
		t.Fatal(err)
	}
	wantCore(t, link)
}

func TestLinkDown(t *testing.T) {
	l := open(t, "serial:"+filepath.Join(t.TempDir(), "none"), link.Config{})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := l.Up(ctx); !errors.Is(err, coap.ErrLinkDown) {
		t.Errorf("Up = %v, want ErrLinkDown", err)
	}
}

// wire is a serial line in memory: the far end of what it gives is w.far.
type wire struct {
	opened atomic.Int32
	far    chan net.Conn
}

func newWire() *wire { return &wire{far: make(chan net.Conn, 16)} }

func (w *wire) open() (io.ReadWriteCloser, error) {
	w.opened.Add(1)
	here, there := net.Pipe()
	w.far <- there
	return here, nil
}

// next reads one message from the far end.
func next(t *testing.T, conn net.Conn, frames *coap.SLIPReader) *coap.Datagram {
	t.Helper()
	var c [1]byte
	for {
		if _, err := conn.Read(c[:]); err != nil {
			t.Fatal(err)
		}
		if raw, ok := frames.Next(c[0]); ok {
			d, err := coap.DecodeDatagram(raw)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
	}
}

func send(t *testing.T, conn net.Conn, d coap.Datagram) {
	t.Helper()
	raw, err := d.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(coap.AppendSLIP(nil, raw)); err != nil {
		t.Fatal(err)
	}
}

type outcome struct {
	resp *coap.Message
	err  error
}

func ask(ctx context.Context, link *link.Link, m *coap.Message) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		resp, err := link.Do(ctx, m)
		out <- outcome{resp, err}
	}()
	return out
}

// TestLinkLegs: the link's leg is computed from the bytes, the device's is the rest.
func TestLinkLegs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		link := link.NewSerial("test", w.open, link.Config{Logger: quiet, Baud: 9600})
		defer link.Close()
		legs := make(chan coap.Legs, 1)
		go func() {
			_, l, err := link.Exchange(t.Context(), core(t))
			if err != nil {
				t.Error(err)
			}
			legs <- l
		}()
		far := <-w.far
		var frames coap.SLIPReader
		req := next(t, far, &frames)
		time.Sleep(100 * time.Millisecond) // of the bubble's clock
		send(t, far, coap.Datagram{Type: coap.Acknowledgement, ID: req.ID, Token: req.Token, Message: coap.Message{Code: coap.CodeContent}})
		got := <-legs
		s := link.Stats()
		want := time.Duration(s.BytesSent+s.BytesReceived) * 10 * time.Second / 9600
		if got.Link != want || got.Device != 100*time.Millisecond-want || got.Queue != 0 {
			t.Errorf("legs = %+v, want link %v and 100 ms in all", got, want)
		}
	})
}

func TestLinkRetransmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		link := link.NewSerial("test", w.open, link.Config{Logger: quiet})
		defer link.Close()
		result := ask(t.Context(), link, core(t))
		far := <-w.far
		var frames coap.SLIPReader
		began := time.Now()
		first := next(t, far, &frames)
		for i, want := range []time.Duration{400, 1200, 2800, 6000} {
			again := next(t, far, &frames)
			if again.ID != first.ID || string(again.Token) != string(first.Token) {
				t.Errorf("retransmission %d is another message", i+1)
			}
			if at := time.Since(began); at != want*time.Millisecond {
				t.Errorf("retransmission %d after %v, want %v ms", i+1, at, int(want))
			}
		}
		o := <-result
		if !errors.Is(o.err, coap.ErrTimeout) || time.Since(began) != 12400*time.Millisecond {
			t.Errorf("Do = %v after %v, want ErrTimeout after 12.4s", o.err, time.Since(began))
		}
		if s := link.Stats(); s.Retransmissions != 4 {
			t.Errorf("Stats = %+v, want 4 retransmissions", s)
		}
	})
}

func TestLinkMatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		link := link.NewSerial("test", w.open, link.Config{Logger: quiet})
		defer link.Close()
		result := ask(t.Context(), link, core(t))
		far := <-w.far
		var frames coap.SLIPReader
		req := next(t, far, &frames)
		content := coap.Message{Code: coap.CodeContent, Payload: []byte("wrong")}
		other := []byte{req.Token[0] ^ 1, req.Token[1]}
		send(t, far, coap.Datagram{Type: coap.Acknowledgement, ID: req.ID + 1, Token: req.Token, Message: content})
		send(t, far, coap.Datagram{Type: coap.Acknowledgement, ID: req.ID, Token: other, Message: content})
		send(t, far, coap.Datagram{Type: coap.NonConfirmable, ID: 1, Token: other, Message: content})
		send(t, far, coap.Datagram{Type: coap.Acknowledgement, ID: req.ID, Token: req.Token, Message: coap.Message{Code: 1}})
		send(t, far, coap.Datagram{Type: coap.Reset, ID: req.ID + 1})
		if _, err := far.Write([]byte("\xc0noise\xc0")); err != nil {
			t.Fatal(err)
		}
		send(t, far, coap.Datagram{Type: coap.Acknowledgement, ID: req.ID, Token: req.Token, Message: coap.Message{Code: coap.CodeContent, Payload: []byte("right")}})
		if o := <-result; o.err != nil || string(o.resp.Payload) != "right" {
			t.Errorf("Do = %v, %v", o.resp, o.err)
		}
		if s := link.Stats(); s.Dropped != 5 {
			t.Errorf("%d messages dropped, want 5", s.Dropped)
		}
	})
}

// TestLinkSeparateAnswer: an empty acknowledgement stops retransmissions, and the answer comes in a message of its own.
func TestLinkSeparateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		link := link.NewSerial("test", w.open, link.Config{Logger: quiet})
		defer link.Close()
		result := ask(t.Context(), link, core(t))
		far := <-w.far
		var frames coap.SLIPReader
		req := next(t, far, &frames)
		send(t, far, coap.Datagram{Type: coap.Acknowledgement, ID: req.ID})
		time.Sleep(20 * time.Second) // of the bubble's clock: no retransmission blocks the pipe
		send(t, far, coap.Datagram{Type: coap.Confirmable, ID: 77, Token: req.Token, Message: coap.Message{Code: coap.CodeContent}})
		if ack := next(t, far, &frames); ack.Type != coap.Acknowledgement || ack.ID != 77 {
			t.Errorf("the answer is acknowledged by %+v", ack)
		}
		if o := <-result; o.err != nil {
			t.Error(o.err)
		}
		if s := link.Stats(); s.Retransmissions != 0 {
			t.Errorf("%d retransmissions after an acknowledgement", s.Retransmissions)
		}
		send(t, far, coap.Datagram{Type: coap.Confirmable, ID: 78, Token: req.Token, Message: coap.Message{Code: coap.CodeContent}})
		if reset := next(t, far, &frames); reset.Type != coap.Reset || reset.ID != 78 {
			t.Errorf("a late answer gets %+v, want a reset", reset)
		}
	})
}

// TestLinkOneOutstanding: a request that is given up still holds the line until the device has had its time.
func TestLinkOneOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		link := link.NewSerial("test", w.open, link.Config{Logger: quiet})
		defer link.Close()
		ctx, cancel := context.WithCancel(t.Context())
		first := ask(ctx, link, core(t))
		far := <-w.far
		var frames coap.SLIPReader
		req := next(t, far, &frames)
		began := time.Now()
		cancel()
		if o := <-first; !errors.Is(o.err, context.Canceled) || time.Since(began) != 0 {
			t.Errorf("Do = %v after %v, want canceled at once", o.err, time.Since(began))
		}
		second := ask(t.Context(), link, core(t))
		again := next(t, far, &frames)
		if again.ID == req.ID || time.Since(began) != 400*time.Millisecond {
			t.Errorf("the second request was sent after %v, want 400ms", time.Since(began))
		}
		send(t, far, coap.Datagram{Type: coap.Acknowledgement, ID: req.ID, Token: req.Token, Message: coap.Message{Code: coap.CodeForbidden}})
		send(t, far, coap.Datagram{Type: coap.Acknowledgement, ID: again.ID, Token: again.Token, Message: coap.Message{Code: coap.CodeContent}})
		if o := <-second; o.err != nil || o.resp.Code != coap.CodeContent {
			t.Errorf("the late answer to the first request was taken: %v, %v", o.resp, o.err)
		}
	})
}

func TestLinkReopens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		link := link.NewSerial("test", w.open, link.Config{Logger: quiet})
		defer link.Close()
		for range 3 {
			far := <-w.far
			result := ask(t.Context(), link, core(t))
			var frames coap.SLIPReader
			req := next(t, far, &frames)
			send(t, far, coap.Datagram{Type: coap.Acknowledgement, ID: req.ID, Token: req.Token, Message: coap.Message{Code: coap.CodeContent}})
			if o := <-result; o.err != nil {
				t.Fatal(o.err)
			}
			far.Close()
		}
	})
}

func TestLinkReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		l := link.NewSerial("test", w.open, link.Config{Logger: quiet})
		defer l.Close()
		result := ask(t.Context(), l, core(t))
		far := <-w.far
		var frames coap.SLIPReader
		send(t, far, coap.Datagram{Type: coap.Reset, ID: next(t, far, &frames).ID})
		if o := <-result; !errors.Is(o.err, coap.ErrReset) {
			t.Errorf("Do = %v, want ErrReset", o.err)
		}
	})
}

func TestLinkNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		link := link.NewSerial("test", w.open, link.Config{Logger: quiet})
		defer link.Close()
		far := <-w.far
		for i := range uint16(3) {
			if _, err := far.Write(coap.AppendSLIP(nil, linktest.News(i))); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		<-link.News()
		select {
		case <-link.News():
			t.Error("news pile up")
		default:
		}
	})
}

func TestLinkTooLarge(t *testing.T) {
	link := open(t, "udp:"+udp(t, device(t)), link.Config{MaxMessage: 100})
	m := &coap.Message{Code: coap.CodePOST, Payload: make([]byte, 100)}
	if _, err := link.Do(bounded(t), m); !errors.Is(err, coap.ErrTooLarge) {
		t.Errorf("Do = %v, want ErrTooLarge", err)
	}
	wantCoreTimesOut := func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if _, err := link.Do(ctx, core(t)); !errors.Is(err, coap.ErrTimeout) {
			t.Errorf("an answer of more than 100 bytes: %v, want none", err)
		}
	}
	wantCoreTimesOut()
}

func TestLinkClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		link := link.NewSerial("test", w.open, link.Config{Logger: quiet})
		result := ask(t.Context(), link, core(t))
		far := <-w.far
		var frames coap.SLIPReader
		next(t, far, &frames)
		if err := errors.Join(link.Close(), link.Close()); err != nil {
			t.Error(err)
		}
		if o := <-result; !errors.Is(o.err, coap.ErrClosed) {
			t.Errorf("Do = %v, want ErrClosed", o.err)
		}
		if _, err := link.Do(t.Context(), core(t)); !errors.Is(err, coap.ErrClosed) {
			t.Errorf("Do = %v, want ErrClosed", err)
		}
		if err := link.Up(t.Context()); !errors.Is(err, coap.ErrClosed) {
			t.Errorf("Up = %v, want ErrClosed", err)
		}
	})
}

// TestProbeNothingListens: a probe of a UDP address at which nothing listens ends when the second message is refused.
func TestProbeNothingListens(t *testing.T) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := socket.LocalAddr().String()
	socket.Close()
	l := open(t, "udp:"+address, link.Config{AckTimeout: 50 * time.Millisecond})
	began := time.Now()
	_, err = l.Probe(bounded(t), 10*time.Second, core(t))
	if !errors.Is(err, link.ErrRefused) || !strings.Contains(err.Error(), "nothing listens on udp:"+address) {
		t.Errorf("Probe = %v, want ErrRefused with the address", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Probe took %v", took)
	}
}

// TestProbeComes: a device that starts while the first message is on its way answers the second.
func TestProbeComes(t *testing.T) {
	first, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	address := first.LocalAddr().String()
	l := open(t, "udp:"+address, link.Config{AckTimeout: 200 * time.Millisecond})
	result := make(chan error, 1)
	go func() {
		_, err := l.Probe(bounded(t), 10*time.Second, core(t))
		result <- err
	}()
	if _, _, err = first.ReadFrom(make([]byte, coap.MaxDatagram)); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { device(t).ServeUDP(second) })
	defer wg.Wait()
	defer second.Close()
	if err := <-result; err != nil {
		t.Errorf("Probe = %v", err)
	}
}

// TestProbeSilence: the error of a device that takes messages and does not answer says what was tried, and how often.
func TestProbeSilence(t *testing.T) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	l := open(t, "udp:"+socket.LocalAddr().String(), link.Config{AckTimeout: 100 * time.Millisecond})
	_, err = l.Probe(bounded(t), 500*time.Millisecond, core(t))
	want := "no answer in time: /.well-known/core was sent 3 times in 500ms to udp:" + socket.LocalAddr().String()
	if !errors.Is(err, coap.ErrTimeout) || err.Error() != want {
		t.Errorf("Probe = %v, want %s", err, want)
	}
	// The caller's own end is no silence of the device.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err = l.Probe(ctx, time.Second, core(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("Probe of a caller that has gone = %v", err)
	}
}
