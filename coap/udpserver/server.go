package udpserver

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// Times of RFC 7252 section 4.8, and of this server.
const (
	exchangeLifetime = 247 * time.Second // how long a message ID names one message
	ackTimeout       = 2 * time.Second   // of a separate answer, before it is sent again; doubles each time
	maxRetransmit    = 4
	piggybackWithin  = time.Second // an answer that takes longer is announced by an empty acknowledgement
	echoAge          = 60 * time.Second
	maxAmplification = 3 // answer over request, in bytes, to an address that is not proven
)

// Config configures a Server; zero values mean the defaults.
type Config struct {
	Workers    int          // requests at a time; default 128, then 5.03
	Remembered int          // message IDs that are kept with their answers; default 1,024
	Logger     *slog.Logger // default slog.Default()
}

func (cfg Config) withDefaults() Config {
	if cfg.Workers <= 0 {
		cfg.Workers = 128
	}
	if cfg.Remembered <= 0 {
		cfg.Remembered = 1024
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return cfg
}

// Server answers CoAP requests at one UDP socket. It is a loop of its own, since a library's server keeps state for every
// source address.
type Server struct {
	handler coap.Handler
	log     *slog.Logger
	socket  *net.UDPConn
	secret  [32]byte // of Echo values

	transmit func(raw []byte, to netip.AddrPort) error // puts a datagram on the socket

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

// Stats counts what a server has seen.
type Stats struct {
	Received, Malformed, Repeated, Refused uint64
}

// Listen opens a UDP socket at address, such as "127.0.0.1:5683", and answers its requests with h. Close releases it.
func Listen(address string, h coap.Handler, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, fmt.Errorf("coap port: %w", err)
	}
	socket, err := net.ListenUDP("udp", at)
	if err != nil {
		return nil, fmt.Errorf("coap port: %w", err)
	}
	s := &Server{
		handler: h, log: cfg.Logger, socket: socket,
		slots: make(chan struct{}, cfg.Workers),
		seen:  newRemembered(cfg.Remembered),
		acks:  make(map[messageKey]chan struct{}),
	}
	s.transmit = func(raw []byte, to netip.AddrPort) error {
		_, err := socket.WriteToUDPAddrPort(raw, to)
		return err
	}
	_, _ = rand.Read(s.secret[:]) // never fails: crypto/rand ends the program first
	var seed [2]byte
	_, _ = rand.Read(seed[:])
	s.nextID.Store(uint32(binary.BigEndian.Uint16(seed[:])))
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.wg.Go(s.run)
	return s, nil
}

// Addr returns the address of the socket.
func (s *Server) Addr() netip.AddrPort { return s.socket.LocalAddr().(*net.UDPAddr).AddrPort() }

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	return Stats{s.received.Load(), s.malformed.Load(), s.repeated.Load(), s.refused.Load()}
}

// Close closes the socket and waits for the requests under way, whose contexts end. It may be called twice.
func (s *Server) Close() error {
	s.cancel()
	err := s.socket.Close()
	s.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) run() {
	buf := make([]byte, coap.MaxDatagram+1)
	for {
		n, from, err := s.socket.ReadFromUDPAddrPort(buf)
		if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Debug("read from coap port failed", "error", err)
			select {
			case <-time.After(10 * time.Millisecond): // whatever it is, it must not take the whole processor
			case <-s.ctx.Done():
			}
			continue
		}
		s.received.Add(1)
		s.take(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
}

type messageKey struct {
	from netip.AddrPort
	id   uint16
}

// take handles one datagram.
func (s *Server) take(raw []byte, from netip.AddrPort) {
	var d *coap.Datagram
	err := error(coap.ErrTooLarge)
	if len(raw) <= coap.MaxDatagram {
		d, err = coap.DecodeDatagram(raw)
	}
	optionError := (*coap.OptionError)(nil)
	if err != nil && !errors.As(err, &optionError) {
		s.malformed.Add(1)
		if len(raw) >= 4 && raw[0]>>4 == 4 { // version 1, confirmable: rejected, RFC 7252 section 4.2
			s.send(&coap.Datagram{Type: coap.Reset, ID: binary.BigEndian.Uint16(raw[2:])}, from)
		}
		return
	}
	key := messageKey{from, d.ID}
	switch class := d.Message.Code >> 5; {
	case d.Type == coap.Acknowledgement || d.Type == coap.Reset:
		s.acknowledged(key)
		return
	case d.Message.Code == coap.CodeEmpty || class != 0:
		// A ping, or an answer to nothing that was asked.
		if d.Type == coap.Confirmable {
			s.send(&coap.Datagram{Type: coap.Reset, ID: d.ID}, from)
		}
		return
	}
	if optionError != nil {
		s.malformed.Add(1)
		s.answerAtOnce(d, from, optionError.Refusal())
		return
	}
	request := requestKey{key, sha256.Sum256(raw)}
	entry, known := s.remember(request)
	if known {
		s.repeated.Add(1)
		s.repeat(entry, d, from, len(raw))
		return
	}
	select {
	case s.slots <- struct{}{}:
		size := len(raw)
		s.wg.Go(func() {
			defer func() { <-s.slots }()
			s.serve(d, from, size, entry)
		})
	default:
		s.refused.Add(1)
		s.forget(request)
		s.answerAtOnce(d, from, coap.Unavailable(1))
	}
}

func (s *Server) answerAtOnce(d *coap.Datagram, from netip.AddrPort, resp *coap.Message) {
	s.send(s.reply(d, resp), from)
}

// reply puts an answer into the message that goes with the request: its acknowledgement, or one not to be confirmed.
func (s *Server) reply(d *coap.Datagram, resp *coap.Message) *coap.Datagram {
	out := &coap.Datagram{Type: coap.Acknowledgement, ID: d.ID, Token: d.Token, Message: *resp}
	if d.Type == coap.NonConfirmable {
		out.Type, out.ID = coap.NonConfirmable, s.newID()
	}
	return out
}

func (s *Server) newID() uint16 { return uint16(s.nextID.Add(1)) }

func (s *Server) send(d *coap.Datagram, to netip.AddrPort) {
	if raw, err := d.Append(nil); err == nil { // what is sent here always encodes
		s.write(raw, to)
	}
}

// serve works on one request to its end.
func (s *Server) serve(d *coap.Datagram, from netip.AddrPort, size int, entry *memory) {
	proven := s.isProven(d, from)
	d.Message.Remove(coap.OptionEcho)
	source := coap.Source{Peer: from.Addr().WithZone("").String(), Datagram: true}
	result := make(chan *coap.Message, 1)
	s.wg.Go(func() { result <- s.handler.ServeCoAP(s.ctx, source, &d.Message) })

	timer := time.NewTimer(piggybackWithin)
	defer timer.Stop()
	var resp *coap.Message
	separate, announced := false, 0
	select {
	case resp = <-result:
	case <-timer.C:
		if separate = d.Type == coap.Confirmable; separate {
			announcement, _ := (&coap.Datagram{Type: coap.Acknowledgement, ID: d.ID}).Append(nil) // 4 bytes always encode
			announced = len(announcement)
			s.finish(entry, announcement)
			s.write(announcement, from)
		}
		resp = <-result
	}
	if resp == nil {
		return
	}
	out := s.reply(d, resp)
	if separate {
		out.Type, out.ID = coap.Confirmable, s.newID()
	}
	raw, err := out.Append(nil)
	if err != nil || len(raw) > coap.MaxDatagram {
		out.Message = coap.Message{Code: coap.CodeInternal}
		raw, _ = out.Append(nil) // a message of a code and a token always encodes
	}
	room := maxAmplification*size - announced
	if !proven && len(raw) > room {
		raw = s.challengeWithin(out, from, room)
	}
	if s.ctx.Err() != nil {
		return
	}
	if !separate {
		s.finish(entry, raw)
		s.write(raw, from)
		return
	}
	s.confirm(raw, messageKey{from, out.ID}, proven)
}

func (s *Server) write(raw []byte, to netip.AddrPort) {
	if err := s.transmit(raw, to); err != nil {
		s.log.Debug("write to coap port failed", "error", err)
	}
}

// confirm sends a separate answer until the client has acknowledged it; to an address that is not proven once.
func (s *Server) confirm(raw []byte, key messageKey, proven bool) {
	acknowledged := make(chan struct{})
	s.mu.Lock()
	s.acks[key] = acknowledged
	s.mu.Unlock()
	defer s.acknowledged(key)
	timeout := ackTimeout
	for range maxRetransmit + 1 {
		s.write(raw, key.from)
		if !proven {
			return
		}
		timer := time.NewTimer(timeout)
		select {
		case <-acknowledged:
			timer.Stop()
			return
		case <-s.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
			timeout *= 2
		}
	}
}

func (s *Server) acknowledged(key messageKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if done, ok := s.acks[key]; ok {
		close(done)
		delete(s.acks, key)
	}
}

func (s *Server) remember(key requestKey) (*memory, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen.add(key, time.Now())
}

func (s *Server) forget(key requestKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen.remove(key)
}

// finish keeps what a repetition of the request gets.
func (s *Server) finish(entry *memory, raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry.answer = raw
}

// repeat answers a repeated message: nothing runs twice. The address must be proven still if the answer is long.
func (s *Server) repeat(entry *memory, d *coap.Datagram, to netip.AddrPort, size int) {
	s.mu.Lock()
	raw := entry.answer
	s.mu.Unlock()
	if raw == nil {
		return
	}
	if room := maxAmplification * size; len(raw) > room && !s.isProven(d, to) {
		raw = s.challengeWithin(s.reply(d, &coap.Message{}), to, room)
	}
	s.write(raw, to)
}

// isProven reports whether the sender of a datagram is at its address: on loopback, or by an Echo.
func (s *Server) isProven(d *coap.Datagram, from netip.AddrPort) bool {
	if from.Addr().IsLoopback() {
		return true
	}
	echo, ok := d.Message.Get(coap.OptionEcho)
	return ok && s.checkEcho(echo, from, time.Now())
}

// challengeWithin returns out with a challenge in place of its answer. Where that exceeds room, the challenge goes without an
// Echo: who sends so little must send more before it gets more.
func (s *Server) challengeWithin(out *coap.Datagram, from netip.AddrPort, room int) []byte {
	out.Message = *s.challenge(from, time.Now())
	raw, _ := out.Append(nil) // of one short option
	if len(raw) > room {
		out.Message = coap.Message{Code: coap.CodeUnauthorized}
		raw, _ = out.Append(nil) // of a code and a token
	}
	return raw
}

// challenge is 4.01 with an Echo value (RFC 9175 section 2.4): unix seconds u32 |
// HMAC(secret, seconds | address), cut to 8 bytes.
func (s *Server) challenge(from netip.AddrPort, now time.Time) *coap.Message {
	m := &coap.Message{Code: coap.CodeUnauthorized}
	m.Add(coap.OptionEcho, s.echo(from, uint32(now.Unix())))
	return m
}

func (s *Server) echo(from netip.AddrPort, unix uint32) []byte {
	stamp := binary.BigEndian.AppendUint32(nil, unix)
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write(stamp)
	mac.Write([]byte(from.String()))
	return append(stamp, mac.Sum(nil)[:8]...)
}

func (s *Server) checkEcho(value []byte, from netip.AddrPort, now time.Time) bool {
	if len(value) != 12 {
		return false
	}
	unix := binary.BigEndian.Uint32(value)
	age := now.Sub(time.Unix(int64(unix), 0))
	return hmac.Equal(value, s.echo(from, unix)) && age >= -time.Second && age <= echoAge
}
