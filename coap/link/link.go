package link

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// Config configures a device link. Zero values mean the defaults of the link's kind.
type Config struct {
	MaxMessage    int           // bytes; serial MaxSerial, UDP MaxDatagram
	AckTimeout    time.Duration // before the first retransmission; serial 400 ms, UDP 1 s; doubles each time
	MaxRetransmit int           // default 4
	Timeout       time.Duration // for one exchange; default 30 s
	Baud          int           // serial only; default 115,200
	Logger        *slog.Logger  // default slog.Default()
}

func (cfg Config) withDefaults(maxMessage int, ackTimeout time.Duration) Config {
	if cfg.MaxMessage <= 0 {
		cfg.MaxMessage = maxMessage
	}
	if cfg.AckTimeout <= 0 {
		cfg.AckTimeout = ackTimeout
	}
	if cfg.MaxRetransmit <= 0 {
		cfg.MaxRetransmit = 4
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg
}

// carrier moves whole messages. read gives one message (valid until the next read) and the bytes that it took on
// the line; it returns an error when the carrier is of no more use. Both may be called at the same time.
type carrier interface {
	write(message []byte, stale bool) (wire int, err error) // stale: what was written before has not been answered
	read() (message []byte, wire int, err error)
	Close() error
}

// Stats counts what went over a link since it was opened.
type Stats struct {
	BytesSent, BytesReceived uint64 // on the line, framing included
	Exchanges                uint64
	Retransmissions          uint64
	Dropped                  uint64 // messages that matched no exchange, or were damaged
}

// Link is the node's end of the way to one device, over a serial line or a UDP socket. One exchange is outstanding at a
// time (RFC 7252 section 4.7, NSTART = 1). Requests are confirmable and retransmitted with exponential backoff; an answer
// must match by message ID and token, and a late one is dropped. A line that disappears is opened again.
type Link struct {
	cfg  Config
	name string
	open func() (carrier, error)
	baud int // bits a second on the line, for the legs; 0: none

	turn   chan struct{} // holds one token while an exchange is under way
	silent bool          // the last exchange had no answer; belongs to who has the turn
	news   chan struct{} // holds one token while there is news
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	id        atomic.Uint32 // next message ID
	sent      atomic.Uint64
	received  atomic.Uint64
	exchanges atomic.Uint64
	again     atomic.Uint64
	dropped   atomic.Uint64

	mu       sync.Mutex
	line     carrier       // nil while down
	up       chan struct{} // closed while line is there; a new one while it is not
	downErr  error         // why line is not there
	waiting  *exchange     // the one outstanding
	isClosed bool
}

// exchange is one request under way.
type exchange struct {
	id      uint16
	token   []byte
	arrived chan arrival

	prompt   bool         // ends when it was refused twice
	sent     atomic.Int32 // how often it was written
	refused  chan error   // holds one refusal of the host or the network
	refusals int          // taken from refused
}

type arrival struct {
	datagram *coap.Datagram
	wire     int
}

func newLink(name string, cfg Config, baud int, open func() (carrier, error)) *Link {
	var seed [2]byte
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the program first
	l := &Link{
		cfg: cfg, name: name, open: open, baud: baud,
		turn:    make(chan struct{}, 1),
		news:    make(chan struct{}, 1),
		up:      make(chan struct{}),
		downErr: errors.New("not opened yet"),
	}
	l.id.Store(uint32(binary.BigEndian.Uint16(seed[:])))
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.wg.Go(l.run)
	return l
}

// String returns the link's URL.
func (l *Link) String() string { return l.name }

// News returns a token after the device said that one of its logs has grown (POST /u). Tokens do
// not pile up. It is a hint that anybody on the line can make: who reads the logs for it should do
// so at most once in 100 ms.
func (l *Link) News() <-chan struct{} { return l.news }

// Stats returns the counts so far.
func (l *Link) Stats() Stats {
	return Stats{
		BytesSent: l.sent.Load(), BytesReceived: l.received.Load(), Exchanges: l.exchanges.Load(),
		Retransmissions: l.again.Load(), Dropped: l.dropped.Load(),
	}
}

// Reopening waits this long after a failure, doubling each time.
const (
	firstReopen = 100 * time.Millisecond
	lastReopen  = 5 * time.Second
)

// run keeps the line open and reads it.
func (l *Link) run() {
	wait := firstReopen
	for l.ctx.Err() == nil {
		line, err := l.open()
		if err == nil && !l.setLine(line) {
			line.Close()
			return
		}
		if err == nil {
			wait = firstReopen
			err = l.readAll(line)
			line.Close()
		}
		l.setDown(err)
		select {
		case <-time.After(wait):
			wait = min(2*wait, lastReopen)
		case <-l.ctx.Done():
		}
	}
}

func (l *Link) setLine(line carrier) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed {
		return false
	}
	l.line = line
	close(l.up)
	return true
}

// ErrRefused reports that the host at the link's address answers that no program has this port.
var ErrRefused = errors.New("nothing listens")

// refusal returns the error of an exchange that ends because its messages were refused with err.
func (l *Link) refusal(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w on %s", ErrRefused, l.name)
	}
	return fmt.Errorf("%w: %s: %w", coap.ErrLinkDown, l.name, err)
}

// refusing notes for the exchange under way that a message was refused, by the host at the link's address or by this
// machine. A device that restarts is refused, too, so only Probe ends for it.
func (l *Link) refusing(err error) {
	l.mu.Lock()
	waiting := l.waiting
	l.mu.Unlock()
	if waiting == nil {
		return
	}
	select {
	case waiting.refused <- err:
	default: // one is enough
	}
}

func (l *Link) setDown(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := l.line != nil
	l.downErr = err
	if first {
		l.line = nil
		l.up = make(chan struct{})
	}
	if first && !l.isClosed {
		l.cfg.Logger.Warn("device link went down, opening it again", "link", l.name, "error", err)
	}
}

func (l *Link) readAll(line carrier) error {
	for {
		raw, wire, err := line.read()
		if errors.Is(err, syscall.ECONNREFUSED) { // a device that restarts, or a wrong address: the line stays good
			l.refusing(err)
			continue
		}
		if err != nil {
			return err
		}
		l.received.Add(uint64(wire))
		l.arrive(line, raw, wire)
	}
}

// arrive takes one message from the device: an answer, or news. Any other request is reset.
func (l *Link) arrive(line carrier, raw []byte, wire int) {
	d, err := coap.DecodeDatagram(raw)
	if err != nil {
		l.dropped.Add(1)
		return
	}
	if d.Type == coap.NonConfirmable && d.Message.Code == coap.CodePOST && d.Message.Path() == "/u" {
		select {
		case l.news <- struct{}{}:
		default:
		}
		return
	}
	l.mu.Lock()
	waiting := l.waiting
	l.mu.Unlock()
	mine := waiting != nil && waiting.matches(d)
	if d.Type == coap.Confirmable {
		reply := coap.Datagram{Type: coap.Reset, ID: d.ID}
		if mine {
			reply.Type = coap.Acknowledgement
		}
		if b, err := reply.Append(nil); err == nil {
			_ = l.write(line, b, false) // the device repeats what is not acknowledged
		}
	}
	if !mine {
		l.dropped.Add(1)
		return
	}
	select {
	case waiting.arrived <- arrival{d, wire}:
	default: // a repeated answer
	}
}

// matches reports whether d answers the request: by message ID and token, or by token if it comes
// in a message of its own.
func (e *exchange) matches(d *coap.Datagram) bool {
	switch class := d.Message.Code >> 5; {
	case d.Type == coap.Reset || d.Type == coap.Acknowledgement && d.Message.Code == coap.CodeEmpty:
		return d.ID == e.id
	case class < 2 || class > 5 || !bytes.Equal(d.Token, e.token):
		return false
	case d.Type == coap.Acknowledgement:
		return d.ID == e.id
	}
	return true
}

func (l *Link) write(line carrier, raw []byte, again bool) error {
	wire, err := line.write(raw, again)
	l.sent.Add(uint64(wire))
	return err
}

// Up waits until the line is there. If ctx ends before, the error says why it is not.
func (l *Link) Up(ctx context.Context) error {
	_, err := l.wait(ctx)
	return err
}

func (l *Link) wait(ctx context.Context) (carrier, error) {
	for {
		l.mu.Lock()
		line, up, closed := l.line, l.up, l.isClosed
		l.mu.Unlock()
		switch {
		case closed:
			return nil, fmt.Errorf("link %s: %w", l.name, coap.ErrClosed)
		case line != nil:
			return line, nil
		}
		select {
		case <-up:
		case <-l.ctx.Done():
		case <-ctx.Done():
			l.mu.Lock()
			downErr := l.downErr
			l.mu.Unlock()
			return nil, fmt.Errorf("%w: %s: %w", coap.ErrLinkDown, l.name, downErr)
		}
	}
}

// Do is Exchange without the timings.
func (l *Link) Do(ctx context.Context, req *coap.Message) (*coap.Message, error) {
	resp, _, err := l.Exchange(ctx, req)
	return resp, err
}

type outcome struct {
	resp *coap.Message
	legs coap.Legs
	err  error
}

// Exchange sends req and waits for the answer. If ctx ends first, Exchange returns at once, but the link stays busy
// until the device has had its time, so that the next request does not meet a device at work on this one.
func (l *Link) Exchange(ctx context.Context, req *coap.Message) (*coap.Message, coap.Legs, error) {
	return l.exchange(ctx, req, l.newExchange())
}

// Probe is Exchange with a device that somebody expects to be there now. It waits at most for timeout. It returns
// ErrRefused when two messages were refused because nothing listens at the address, and ErrLinkDown when none could be
// sent.
// The error of a silent device says what was tried.
func (l *Link) Probe(ctx context.Context, timeout time.Duration, req *coap.Message) (*coap.Message, error) {
	probing, cancel := context.WithTimeoutCause(ctx, timeout, coap.ErrTimeout)
	defer cancel()
	e := l.newExchange()
	e.prompt = true
	resp, _, err := l.exchange(probing, req, e)
	if err != nil && errors.Is(err, coap.ErrTimeout) && ctx.Err() == nil {
		err = fmt.Errorf("%w: %s was sent %d times in %v to %s", coap.ErrTimeout, req.Path(), e.sent.Load(), timeout, l.name)
	}
	return resp, err
}

func (l *Link) newExchange() *exchange {
	return &exchange{
		id: uint16(l.id.Add(1)), token: coap.NewToken(), arrived: make(chan arrival, 4), refused: make(chan error, 1),
	}
}

func (l *Link) exchange(ctx context.Context, req *coap.Message, e *exchange) (*coap.Message, coap.Legs, error) {
	raw, err := (&coap.Datagram{Type: coap.Confirmable, ID: e.id, Token: e.token, Message: *req}).Append(nil)
	if err != nil {
		return nil, coap.Legs{}, err
	}
	if len(raw) > l.cfg.MaxMessage {
		return nil, coap.Legs{}, fmt.Errorf("%w: %d bytes, link %s takes %d", coap.ErrTooLarge, len(raw), l.name, l.cfg.MaxMessage)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.cfg.Timeout, coap.ErrTimeout)
	defer cancel()
	began := time.Now()
	select {
	case l.turn <- struct{}{}:
	case <-l.ctx.Done():
		return nil, coap.Legs{}, fmt.Errorf("link %s: %w", l.name, coap.ErrClosed)
	case <-ctx.Done():
		return nil, coap.Legs{}, coap.ContextError(ctx)
	}
	result := make(chan outcome, 1)
	if !l.start(func() {
		defer func() { <-l.turn }()
		result <- l.carry(ctx, e, raw, time.Since(began))
	}) {
		<-l.turn
		return nil, coap.Legs{}, fmt.Errorf("link %s: %w", l.name, coap.ErrClosed)
	}
	select {
	case o := <-result:
		return o.resp, o.legs, o.err
	case <-ctx.Done():
		return nil, coap.Legs{}, coap.ContextError(ctx)
	}
}

// start runs f in a goroutine that Close waits for.
func (l *Link) start(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isClosed {
		return false
	}
	l.wg.Go(f)
	return true
}

// settle bounds how long a link stays busy with a request that nobody waits for any more.
const settle = time.Second

// carry carries one exchange to its end; the caller holds the turn.
func (l *Link) carry(ctx context.Context, e *exchange, raw []byte, queued time.Duration) outcome {
	l.exchanges.Add(1)
	l.setWaiting(e)
	defer l.setWaiting(nil)
	began := time.Now()
	wire := 0
	timeout := l.cfg.AckTimeout
	for attempt := 0; attempt <= l.cfg.MaxRetransmit; attempt++ {
		n, err := l.send(ctx, raw, attempt > 0)
		if err != nil {
			return outcome{err: err}
		}
		wire += n
		e.sent.Add(1)
		o, over := l.await(ctx, e, timeout)
		if over {
			l.silent = o.err != nil
			return l.finish(o, e, wire, began, queued)
		}
		timeout *= 2
	}
	l.silent = true
	return outcome{err: fmt.Errorf("link %s: %w after %d tries", l.name, coap.ErrTimeout, l.cfg.MaxRetransmit+1)}
}

type awaited struct {
	arrival
	err error
}

// await waits for the answer until the time for a retransmission has come. An empty acknowledgement means that the
// answer comes later in a message of its own, so nothing is sent again.
func (l *Link) await(ctx context.Context, e *exchange, timeout time.Duration) (awaited, bool) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	refused := e.refused
	if !e.prompt {
		refused = nil
	}
	over, settled := ctx.Done(), (<-chan time.Time)(nil)
	retransmit := timer.C
	for {
		select {
		case a := <-e.arrived:
			switch {
			case a.datagram.Type == coap.Reset:
				return awaited{err: fmt.Errorf("link %s: %w", l.name, coap.ErrReset)}, true
			case a.datagram.Message.Code == coap.CodeEmpty:
				retransmit = nil
			default:
				return awaited{arrival: a}, true
			}
		case err := <-refused:
			if e.refusals++; e.refusals == 2 { // the first may have come while the device started
				return awaited{err: l.refusal(err)}, true
			}
		case <-retransmit:
			return awaited{err: coap.ContextError(ctx)}, ctx.Err() != nil
		case <-over:
			over = nil
			t := time.NewTimer(min(settle, timeout))
			defer t.Stop()
			settled = t.C
		case <-settled:
			return awaited{err: coap.ContextError(ctx)}, true
		case <-l.ctx.Done():
			return awaited{err: fmt.Errorf("link %s: %w", l.name, coap.ErrClosed)}, true
		}
	}
}

func (l *Link) finish(o awaited, e *exchange, wire int, began time.Time, queued time.Duration) outcome {
	if o.err != nil {
		return outcome{err: o.err}
	}
	took := time.Since(began)
	legs := coap.Legs{Queue: queued, Device: took}
	if l.baud > 0 { // 10 bits a byte: start, 8 data, stop
		legs.Link = min(time.Duration(wire+o.wire)*10*time.Second/time.Duration(l.baud), took)
		legs.Device = took - legs.Link
	}
	return outcome{resp: &o.datagram.Message, legs: legs}
}

// send writes the message. A line that is just being opened again gets a little time.
func (l *Link) send(ctx context.Context, raw []byte, again bool) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	line, err := l.wait(ctx)
	if err != nil {
		return 0, err
	}
	if again {
		l.again.Add(1)
	}
	n, err := line.write(raw, again || l.silent)
	l.sent.Add(uint64(n))
	if err != nil {
		l.cfg.Logger.Debug("write to device link failed", "link", l.name, "error", err) // repeated like a lost message
		l.refusing(err)
	}
	return n, nil
}

func (l *Link) setWaiting(e *exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = e
}

// Close closes the line and waits for all goroutines; an exchange under way fails with ErrClosed. It may be called twice.
func (l *Link) Close() error {
	l.mu.Lock()
	first := !l.isClosed
	l.isClosed = true
	line := l.line
	l.mu.Unlock()
	var err error
	if first {
		l.cancel()
		if line != nil {
			err = line.Close()
		}
	}
	l.wg.Wait()
	return err
}
