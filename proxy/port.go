package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// Times of RFC 7252 section 4.8, and of this port.
const (
	exchangeLifetime = 247 * time.Second // how long a message ID names one message
	ackTimeout       = 2 * time.Second   // of a separate answer, before it is sent again; doubles each time
	maxRetransmit    = 4
	piggybackWithin  = time.Second // an answer that takes longer is announced by an empty acknowledgement
	echoAge          = 60 * time.Second
	maxAmplification = 3 // answer over request, in bytes, to an address that is not proven
)

// Port is the node's CoAP port on UDP: for the clients of people, on loopback by default. It is a loop of its own over one
// socket, since a library's server keeps state for every source address. It keeps
// a bounded number of message IDs with their answers, works on a bounded number of requests, answers an address that is
// not on loopback with at most three times the bytes that it sent until it has proven by an Echo (RFC 9175) that it is
// there, and takes any bytes whatever.
type Port struct {
	proxy  *Proxy
	socket *net.UDPConn
	secret [32]byte // of Echo values

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	slots  chan struct{}
	nextID atomic.Uint32

	received, malformed, repeated, refused atomic.Uint64

	mu   sync.Mutex
	seen *remembered
	acks map[messageKey]chan struct{} // of separate answers, closed when acknowledged or reset
}

// PortStats counts what a port has seen.
type PortStats struct {
	Received, Malformed, Repeated, Refused uint64
}

// ListenUDP opens the CoAP port at address, such as "127.0.0.1:5683". Close of the port or of the proxy ends it.
func (p *Proxy) ListenUDP(address string) (*Port, error) {
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("coap port: %w", err)
	}
	socket, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, fmt.Errorf("coap port: %w", err)
	}
	port := &Port{
		proxy: p, socket: socket,
		slots: make(chan struct{}, p.cfg.Limits.Workers),
		seen:  newRemembered(p.cfg.Limits.Remembered),
		acks:  make(map[messageKey]chan struct{}),
	}
	_, _ = rand.Read(port.secret[:]) // never fails: crypto/rand ends the program first
	var seed [2]byte
	_, _ = rand.Read(seed[:])
	port.nextID.Store(uint32(binary.BigEndian.Uint16(seed[:])))
	port.ctx, port.cancel = context.WithCancel(p.ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.isClosed {
		port.cancel()
		return nil, errors.Join(fmt.Errorf("coap port: %w", coap.ErrClosed), socket.Close())
	}
	p.ports = append(p.ports, port)
	port.wg.Go(port.run)
	return port, nil
}

// Addr gives the port's address.
func (p *Port) Addr() netip.AddrPort { return p.socket.LocalAddr().(*net.UDPAddr).AddrPort() }

// Stats gives the counts so far.
func (p *Port) Stats() PortStats {
	return PortStats{p.received.Load(), p.malformed.Load(), p.repeated.Load(), p.refused.Load()}
}

// Close ends the port and waits for its requests. It may be called twice.
func (p *Port) Close() error {
	p.cancel()
	err := p.socket.Close()
	p.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Port) run() {
	buf := make([]byte, coap.MaxDatagram+1)
	for {
		n, from, err := p.socket.ReadFromUDPAddrPort(buf)
		if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			p.proxy.log.Debug("read from coap port failed", "error", err)
			select {
			case <-time.After(10 * time.Millisecond): // whatever it is, it must not take the whole processor
			case <-p.ctx.Done():
			}
			continue
		}
		p.received.Add(1)
		p.take(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

type messageKey struct {
	from netip.AddrPort
	id   uint16
}

// take handles one datagram.
func (p *Port) take(raw []byte, from netip.AddrPort) {
	var d *coap.Datagram
	err := error(coap.ErrTooLarge)
	if len(raw) <= coap.MaxDatagram {
		d, err = coap.DecodeDatagram(raw)
	}
	optionError := (*coap.OptionError)(nil)
	if err != nil && !errors.As(err, &optionError) {
		p.malformed.Add(1)
		if len(raw) >= 4 && raw[0]>>4 == 4 { // version 1, confirmable: rejected, RFC 7252 section 4.2
			p.send(&coap.Datagram{Type: coap.Reset, ID: binary.BigEndian.Uint16(raw[2:])}, from)
		}
		return
	}
	key := messageKey{from, d.ID}
	switch class := d.Message.Code >> 5; {
	case d.Type == coap.Acknowledgement || d.Type == coap.Reset:
		p.acknowledged(key)
		return
	case d.Message.Code == coap.CodeEmpty || class != 0:
		// A ping, or an answer to nothing that was asked.
		if d.Type == coap.Confirmable {
			p.send(&coap.Datagram{Type: coap.Reset, ID: d.ID}, from)
		}
		return
	}
	if optionError != nil {
		p.malformed.Add(1)
		reason := capability.ReasonMalformed
		if optionError.Critical() {
			reason = capability.ReasonBadOption
		}
		p.answerAtOnce(d, from, capability.Refusal(reason))
		return
	}
	entry, known := p.remember(key)
	if known {
		p.repeated.Add(1)
		p.repeat(entry, from)
		return
	}
	select {
	case p.slots <- struct{}{}:
		size := len(raw)
		p.wg.Go(func() {
			defer func() { <-p.slots }()
			p.serve(d, from, size, entry)
		})
	default:
		p.refused.Add(1)
		p.forget(key)
		p.answerAtOnce(d, from, coap.Unavailable(1))
	}
}

func (p *Port) answerAtOnce(d *coap.Datagram, from netip.AddrPort, resp *coap.Message) {
	p.send(p.reply(d, resp), from)
}

// reply puts an answer into the message that goes with the request: its acknowledgement, or one not to be confirmed.
func (p *Port) reply(d *coap.Datagram, resp *coap.Message) *coap.Datagram {
	out := &coap.Datagram{Type: coap.Acknowledgement, ID: d.ID, Token: d.Token, Message: *resp}
	if d.Type == coap.NonConfirmable {
		out.Type, out.ID = coap.NonConfirmable, p.newID()
	}
	return out
}

func (p *Port) newID() uint16 { return uint16(p.nextID.Add(1)) }

func (p *Port) send(d *coap.Datagram, to netip.AddrPort) {
	if raw, err := d.Append(nil); err == nil { // what is sent here always encodes
		p.write(raw, to)
	}
}

// serve works on one request to its end.
func (p *Port) serve(d *coap.Datagram, from netip.AddrPort, size int, entry *memory) {
	proven := from.Addr().IsLoopback()
	if echo, ok := d.Message.Get(coap.OptionEcho); ok {
		proven = proven || p.checkEcho(echo, from, time.Now())
		d.Message.Remove(coap.OptionEcho)
	}
	source := coap.Source{Peer: from.Addr().WithZone("").String(), Datagram: true}
	result := make(chan *coap.Message, 1)
	p.wg.Go(func() { result <- p.proxy.ServeCoAP(p.ctx, source, &d.Message) })

	timer := time.NewTimer(piggybackWithin)
	defer timer.Stop()
	var resp *coap.Message
	separate := false
	select {
	case resp = <-result:
	case <-timer.C:
		if separate = d.Type == coap.Confirmable; separate {
			raw, _ := (&coap.Datagram{Type: coap.Acknowledgement, ID: d.ID}).Append(nil) // 4 bytes always encode
			p.finish(entry, raw)
			p.write(raw, from)
		}
		resp = <-result
	}
	if resp == nil {
		return
	}
	out := p.reply(d, resp)
	if separate {
		out.Type, out.ID = coap.Confirmable, p.newID()
	}
	raw, err := out.Append(nil)
	if err != nil || len(raw) > coap.MaxDatagram {
		out.Message = coap.Message{Code: coap.CodeInternal}
		raw, _ = out.Append(nil) // a message of a code and a token always encodes
	}
	if !proven && len(raw) > maxAmplification*size {
		out.Message = *p.challenge(from, time.Now())
		raw, _ = out.Append(nil) // of one short option
	}
	if p.ctx.Err() != nil {
		return
	}
	if !separate {
		p.finish(entry, raw)
		p.write(raw, from)
		return
	}
	p.confirm(raw, messageKey{from, out.ID}, proven)
}

func (p *Port) write(raw []byte, to netip.AddrPort) {
	if _, err := p.socket.WriteToUDPAddrPort(raw, to); err != nil {
		p.proxy.log.Debug("write to coap port failed", "error", err)
	}
}

// confirm sends a separate answer until the client has acknowledged it; to an address that is not proven once.
func (p *Port) confirm(raw []byte, key messageKey, proven bool) {
	acknowledged := make(chan struct{})
	p.mu.Lock()
	p.acks[key] = acknowledged
	p.mu.Unlock()
	defer p.acknowledged(key)
	timeout := ackTimeout
	for range maxRetransmit + 1 {
		p.write(raw, key.from)
		if !proven {
			return
		}
		timer := time.NewTimer(timeout)
		select {
		case <-acknowledged:
			timer.Stop()
			return
		case <-p.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			timeout *= 2
		}
	}
}

func (p *Port) acknowledged(key messageKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done, ok := p.acks[key]; ok {
		close(done)
		delete(p.acks, key)
	}
}

func (p *Port) remember(key messageKey) (*memory, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.add(key, time.Now())
}

func (p *Port) forget(key messageKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.remove(key)
}

// finish keeps what a repetition of the request gets.
func (p *Port) finish(entry *memory, raw []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry.answer = raw
}

// repeat answers a repeated message: nothing runs twice.
func (p *Port) repeat(entry *memory, to netip.AddrPort) {
	p.mu.Lock()
	raw := entry.answer
	p.mu.Unlock()
	if raw != nil {
		p.write(raw, to)
	}
}

// challenge is 4.01 with an Echo value (RFC 9175 section 2.4): unix seconds u32 |
// HMAC(secret, seconds | address), cut to 8 bytes.
func (p *Port) challenge(from netip.AddrPort, now time.Time) *coap.Message {
	m := &coap.Message{Code: coap.CodeUnauthorized}
	m.Add(coap.OptionEcho, p.echo(from, uint32(now.Unix())))
	return m
}

func (p *Port) echo(from netip.AddrPort, unix uint32) []byte {
	stamp := binary.BigEndian.AppendUint32(nil, unix)
	mac := hmac.New(sha256.New, p.secret[:])
	mac.Write(stamp)
	mac.Write([]byte(from.String()))
	return append(stamp, mac.Sum(nil)[:8]...)
}

func (p *Port) checkEcho(value []byte, from netip.AddrPort, now time.Time) bool {
	if len(value) != 12 {
		return false
	}
	unix := binary.BigEndian.Uint32(value)
	age := now.Sub(time.Unix(int64(unix), 0))
	return hmac.Equal(value, p.echo(from, unix)) && age >= -time.Second && age <= echoAge
}
