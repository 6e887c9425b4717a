package coap

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// serve runs ServeConn on one end of a pipe and gives the other end.
func serve(t *testing.T, h Handler, cfg StreamConfig) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = ServeConn(ctx, there, h, Source{Peer: "peer"}, cfg) })
	t.Cleanup(func() {
		here.Close()
		cancel()
		wg.Wait()
	})
	return here
}

func dial(t *testing.T, h Handler, server, client StreamConfig) *Client {
	t.Helper()
	c := NewClient(serve(t, h, server), client)
	t.Cleanup(func() { c.Close() })
	return c
}

// echo answers with the request's path and payload.
var echo = HandlerFunc(func(_ context.Context, from Source, req *Message) *Message {
	return &Message{Code: CodeContent, Payload: append([]byte(from.Peer+req.Path()+" "), req.Payload...)}
})

func get(t *testing.T, path string) *Message {
	t.Helper()
	m, err := NewRequest(CodeGET, path, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestStreamEcho(t *testing.T) {
	c := dial(t, echo, StreamConfig{}, StreamConfig{})
	resp, err := c.Do(bounded(t), &Message{Code: 2, Payload: []byte("x"), Options: get(t, "/f/a").Options})
	if err != nil || string(resp.Payload) != "peer/f/a x" {
		t.Fatalf("Do = %v, %v", resp, err)
	}
}

// TestSlowDelaysNobody: the slow request ends only after the fast one was answered, on the same stream.
func TestSlowDelaysNobody(t *testing.T) {
	release := make(chan struct{})
	started := make(chan struct{})
	c := dial(t, HandlerFunc(func(ctx context.Context, from Source, req *Message) *Message {
		if req.Path() == "/slow" {
			close(started)
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return echo(ctx, from, req)
	}), StreamConfig{}, StreamConfig{})
	ctx := bounded(t)
	slow := make(chan error, 1)
	go func() {
		_, err := c.Do(ctx, get(t, "/slow"))
		slow <- err
	}()
	<-started
	for range 100 {
		if _, err := c.Do(ctx, get(t, "/fast")); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-slow:
		t.Fatalf("the slow one ended first: %v", err)
	default:
	}
	close(release)
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
}

func TestStreamManyAtOnce(t *testing.T) {
	c := dial(t, echo, StreamConfig{}, StreamConfig{})
	ctx := bounded(t)
	var wg sync.WaitGroup
	for i := range 500 {
		wg.Go(func() {
			want := fmt.Sprintf("peer/ %d", i)
			resp, err := c.Do(ctx, &Message{Code: 1, Payload: fmt.Append(nil, i)})
			if err != nil || string(resp.Payload) != want {
				t.Errorf("Do = %v, %v, want %s", resp, err, want)
			}
		})
	}
	wg.Wait()
}

func TestServerRefusesTooMany(t *testing.T) {
	release := make(chan struct{})
	c := dial(t, HandlerFunc(func(ctx context.Context, from Source, req *Message) *Message {
		<-release
		return echo(ctx, from, req)
	}), StreamConfig{MaxInFlight: 3}, StreamConfig{MaxInFlight: 4})
	ctx := bounded(t)
	codes := make(chan uint8, 4)
	for range 4 {
		go func() {
			resp, err := c.Do(ctx, get(t, "/x"))
			if err != nil {
				t.Error(err)
				codes <- 0
				return
			}
			codes <- resp.Code
		}()
	}
	if code := <-codes; code != CodeTooManyRequests {
		t.Errorf("the first answer is %s, want 4.29", CodeText(code))
	}
	close(release)
	for range 3 {
		if code := <-codes; code != CodeContent {
			t.Errorf("answer %s, want 2.05", CodeText(code))
		}
	}
}

func TestClientDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := HandlerFunc(func(ctx context.Context, _ Source, _ *Message) *Message {
			<-ctx.Done()
			return nil
		})
		c := dial(t, h, StreamConfig{Timeout: time.Hour}, StreamConfig{Timeout: time.Minute})
		began := time.Now()
		if _, err := c.Do(t.Context(), get(t, "/x")); !errors.Is(err, ErrTimeout) || time.Since(began) != time.Minute {
			t.Errorf("Do = %v after %v, want ErrTimeout after 1m", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Do(ctx, get(t, "/x")); !errors.Is(err, ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Do = %v, want the caller's deadline", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		cancel()
		if _, err := c.Do(ctx, get(t, "/x")); !errors.Is(err, context.Canceled) {
			t.Errorf("Do = %v, want canceled", err)
		}
	})
}

// TestLateAnswer: the answer to a request that was given up must not reach another.
func TestLateAnswer(t *testing.T) {
	here, there := net.Pipe()
	c := NewClient(here, StreamConfig{})
	defer c.Close()
	s := newStream(there, StreamConfig{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer there.Close()
	wg.Go(func() { _ = s.greet() })

	ctx, cancel := context.WithCancel(bounded(t))
	gave := make(chan error, 1)
	wg.Go(func() {
		_, err := c.Do(ctx, get(t, "/first"))
		gave <- err
	})
	first, err := s.read()
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-gave; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	c.mu.Lock()
	answer, taken := c.waiting[string(first.token)]
	c.mu.Unlock()
	if !taken || answer != nil {
		t.Fatal("the token of a request that was given up is free while its answer may still come")
	}
	if err := s.write(&frame{token: first.token, message: Message{Code: CodeContent}}); err != nil {
		t.Fatal(err)
	}
	wg.Go(func() {
		second, err := s.read()
		if err == nil {
			_ = s.write(&frame{token: second.token, message: Message{Code: CodeChanged}})
		}
	})
	resp, err := c.Do(bounded(t), get(t, "/second"))
	if err != nil || resp.Code != CodeChanged {
		t.Fatalf("Do = %v, %v, want the second answer", resp, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) != 0 || c.abandoned != 0 {
		t.Errorf("%d tokens kept, %d abandoned", len(c.waiting), c.abandoned)
	}
}

func TestStreamLimits(t *testing.T) {
	big := make([]byte, 2000)
	c := dial(t, echo, StreamConfig{MaxMessage: 1500}, StreamConfig{})
	if _, err := c.Do(bounded(t), &Message{Code: 2, Payload: big}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Do of 2,000 bytes to who takes 1,500 = %v, want ErrTooLarge", err)
	}
	if resp, err := c.Do(bounded(t), &Message{Code: 2, Payload: big[:1400]}); err != nil || resp.Code != CodeContent {
		t.Errorf("the stream is of no use after ErrTooLarge: %v, %v", resp, err)
	}
	c = dial(t, HandlerFunc(func(context.Context, Source, *Message) *Message {
		return &Message{Code: CodeContent, Payload: big}
	}), StreamConfig{}, StreamConfig{MaxMessage: 1500})
	if resp, err := c.Do(bounded(t), get(t, "/x")); err != nil || resp.Code != CodeInternal {
		t.Errorf("an answer too large for the client: %v, %v, want 5.00", resp, err)
	}
}

// sendRaw sends raw bytes to a server and gives what comes back until it closes.
func sendRaw(t *testing.T, raw []byte, cfg StreamConfig) []byte {
	t.Helper()
	conn := serve(t, echo, cfg)
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = conn.Write(raw) }() // the server may close before it has read all
	back, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("the server keeps the stream open after %x: %v", raw, err)
	}
	return back
}

func TestServerAborts(t *testing.T) {
	csm := []byte{0x00, codeCSM}
	for name, raw := range map[string][]byte{
		"no CSM first":        {0x01, CodeGET, 9},
		"ping before CSM":     {0x00, codePing},
		"token of 9 bytes":    {0x09, codeCSM, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		"critical CSM option": {0x10, codeCSM, 0x10},
		"4 GiB":               append(bytes.Clone(csm), 0xF0, 0xFF, 0xFF, 0xFF, 0xFF, CodeGET),
		"beyond the limit":    append(bytes.Clone(csm), 0xF0, 0, 1, 0, 0, CodeGET),
		"malformed options":   append(bytes.Clone(csm), 0x10, CodeGET, 0xF0),
		"marker, no payload":  append(bytes.Clone(csm), 0x10, CodeGET, 0xFF),
	} {
		back := sendRaw(t, raw, StreamConfig{})
		if !bytes.HasSuffix(back, []byte{0x00, codeAbort}) {
			t.Errorf("%s: server sent %x, want an abort at the end", name, back)
		}
	}
}

func TestServerSignals(t *testing.T) {
	conn := serve(t, echo, StreamConfig{})
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	next := func() *frame {
		f, err := readFrame(r, 4096)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	if f := next(); f.message.Code != codeCSM {
		t.Fatalf("first message %x, want a CSM", f.message.Code)
	}
	send := func(raw ...byte) {
		if _, err := conn.Write(raw); err != nil {
			t.Fatal(err)
		}
	}
	send(0x00, codeCSM)
	send(0x02, codePing, 7, 8)
	if f := next(); f.message.Code != codePong || !bytes.Equal(f.token, []byte{7, 8}) {
		t.Errorf("answer to a ping: %+v", f)
	}
	send(0x00, 0)                // empty: ignored
	send(0x00, 0x45)             // an answer to nothing: ignored
	send(0x00, 0xFF)             // an unknown signal: ignored
	send(0x31, 1, 5, 0xC2, 1, 2) // Content-Format of 2 bytes: legal
	if f := next(); f.message.Code != CodeContent || !bytes.Equal(f.token, []byte{5}) {
		t.Errorf("answer: %+v", f)
	}
	send(0x41, 1, 6, 0xC3, 1, 2, 3) // Content-Format of 3 bytes: elective, illegal
	if f := next(); f.message.Code != CodeBadRequest || !bytes.Equal(f.token, []byte{6}) {
		t.Errorf("answer to an illegal elective option: %+v, want 4.00", f)
	}
	send(0x21, 1, 6, 0x51, 1) // If-None-Match of 1 byte: critical, illegal
	if f := next(); f.message.Code != CodeBadOption || !bytes.Equal(f.message.Payload, []byte{2}) {
		t.Errorf("answer to an illegal critical option: %+v, want 4.02 reason 2", f)
	}
	send(0x00, codeRelease)
	if _, err := readFrame(r, 4096); !errors.Is(err, io.EOF) {
		t.Errorf("after a release: %v, want the end", err)
	}
}

func TestClientRelease(t *testing.T) {
	here, there := net.Pipe()
	c := NewClient(here, StreamConfig{})
	defer c.Close()
	go func() {
		s := newStream(there, StreamConfig{})
		_ = s.greet()
		f, err := s.read()
		if err != nil {
			return
		}
		_ = s.write(&frame{message: Message{Code: codeRelease}})
		_ = s.write(&frame{token: f.token, message: Message{Code: CodeContent}})
		_, _ = s.read()
	}()
	if _, err := c.Do(bounded(t), get(t, "/x")); err != nil {
		t.Errorf("a request under way at the release: %v", err)
	}
	if _, err := c.Do(bounded(t), get(t, "/x")); !errors.Is(err, ErrClosed) {
		t.Errorf("a request after the release: %v, want ErrClosed", err)
	}
	there.Close()
}

func TestClientClose(t *testing.T) {
	block := HandlerFunc(func(ctx context.Context, _ Source, _ *Message) *Message {
		<-ctx.Done()
		return nil
	})
	c := dial(t, block, StreamConfig{}, StreamConfig{})
	failed := make(chan error, 1)
	go func() {
		_, err := c.Do(bounded(t), get(t, "/x"))
		failed <- err
	}()
	for { // until it is under way
		c.mu.Lock()
		n := len(c.waiting)
		c.mu.Unlock()
		if n > 0 {
			break
		}
	}
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Error(err)
	}
	if err := <-failed; !errors.Is(err, ErrClosed) {
		t.Errorf("a request under way: %v, want ErrClosed", err)
	}
	select {
	case <-c.done:
	default:
		t.Error("the stream has not ended after Close")
	}
}

// TestServerGarbage: whatever bytes come, the server neither panics nor stays.
func TestServerGarbage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		raw := []byte{0x00, codeCSM}
		for range random.IntN(200) {
			raw = append(raw, byte(random.Uint32()))
		}
		conn := serve(t, echo, StreamConfig{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(io.Discard, conn)
		}()
		_, _ = conn.Write(raw)
		conn.Close()
		<-done
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte{0x00, codeCSM})
	f.Add([]byte{0x12, 1, 7, 8, 0xB0})
	f.Add([]byte{0xD0, 0, 1, 0xFF, 1})
	f.Add([]byte{0xF0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := readFrame(bufio.NewReader(bytes.NewReader(raw)), 4096)
		if err != nil {
			return
		}
		once, err := in.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readFrame(bufio.NewReader(bytes.NewReader(once)), 8192)
		if err != nil {
			t.Fatalf("encoded, not decoded: %v", err)
		}
		twice, err := again.append(nil)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("no fixpoint: %x, %x, %v", once, twice, err)
		}
	})
}

// TestCSMWithinSeconds: a stream whose other side sends nothing, or only the beginning of its CSM, ends.
func TestCSMWithinSeconds(t *testing.T) {
	for name, first := range map[string][]byte{"nothing": nil, "half a CSM": {0x10}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				defer here.Close()
				go func() { _, _ = io.Copy(io.Discard, here) }()
				if first != nil {
					go func() { _, _ = here.Write(first) }()
				}
				began := time.Now()
				if err := ServeConn(t.Context(), there, echo, Source{}, StreamConfig{}); err == nil {
					t.Error("no error")
				}
				if took := time.Since(began); took > 6*time.Second {
					t.Errorf("it ended after %v", took)
				}
			})
		})
	}
}

// TestAnswersBeforeTheEnd: of 100 streams that the other side releases, or closes in its direction, while a request is under
// way, each request is answered, and then the stream ends. An Abort ends the request.
func TestAnswersBeforeTheEnd(t *testing.T) {
	for name, end := range map[string]func(net.Conn){
		"release":    func(c net.Conn) { _, _ = c.Write([]byte{0x00, codeRelease}) },
		"half close": func(c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() },
		"abort":      func(c net.Conn) { _, _ = c.Write([]byte{0x00, codeAbort}) },
	} {
		t.Run(name, func(t *testing.T) {
			answered, ended := 0, 0
			for range 100 {
				started, release := make(chan struct{}), make(chan struct{})
				cancelled := make(chan struct{})
				h := HandlerFunc(func(ctx context.Context, _ Source, _ *Message) *Message {
					close(started)
					select {
					case <-release:
						return &Message{Code: CodeContent}
					case <-ctx.Done():
						close(cancelled)
						return nil
					}
				})
				here, there := tcpPair(t)
				done := make(chan struct{})
				go func() {
					defer close(done)
					_ = ServeConn(context.Background(), there, h, Source{}, StreamConfig{})
				}()
				if _, err := here.Write([]byte{0x00, codeCSM, 0x01, CodeGET, 9}); err != nil {
					t.Fatal(err)
				}
				<-started
				end(here)
				if name == "abort" {
					<-cancelled
				}
				close(release)
				back, err := io.ReadAll(here)
				if err != nil {
					t.Fatal(err)
				}
				if bytes.HasSuffix(back, []byte{0x01, CodeContent, 9}) {
					answered++
				}
				<-done
				ended++
				here.Close()
			}
			want := 100
			if name == "abort" {
				want = 0
			}
			if answered != want || ended != 100 {
				t.Errorf("%d answered, want %d; %d streams ended, want 100", answered, want, ended)
			}
		})
	}
}

func tcpPair(t *testing.T) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	if err := here.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return here, there
}

// TestClientTakesLeave: a client that closes an idle stream releases it; one that has requests under way aborts.
func TestClientTakesLeave(t *testing.T) {
	for name, want := range map[string]uint8{"idle": codeRelease, "under way": codeAbort} {
		here, there := net.Pipe()
		c := NewClient(here, StreamConfig{})
		in := bufio.NewReader(there)
		if _, err := there.Write([]byte{0x00, codeCSM}); err != nil {
			t.Fatal(err)
		}
		if f, err := readFrame(in, 4096); err != nil || f.message.Code != codeCSM {
			t.Fatalf("first %+v, %v", f, err)
		}
		failed := make(chan error, 1)
		if name == "under way" {
			go func() {
				_, err := c.Do(bounded(t), &Message{Code: CodeGET})
				failed <- err
			}()
			if _, err := readFrame(in, 4096); err != nil {
				t.Fatal(err)
			}
		}
		c.stream.writing.Lock() // until the write of what was read is over
		greeted := c.stream.greeted
		c.stream.writing.Unlock()
		if !greeted {
			t.Fatal("no CSM was sent")
		}
		closed := make(chan error, 1)
		go func() { closed <- c.Close() }()
		if f, err := readFrame(in, 4096); err != nil || f.message.Code != want {
			t.Errorf("%s: last %+v, %v, want %x", name, f, err, want)
		}
		if err := <-closed; err != nil {
			t.Error(err)
		}
		there.Close()
	}
}
