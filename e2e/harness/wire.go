package harness

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// Wire is an attacker on the serial line: a node opens its Path instead of the chip's, and every SLIP frame passes
// through here, where it can be recorded, altered and sent again. It knows no key.
type Wire struct {
	newsLog
	Path string // what the node opens

	node *os.File // our end of the pty the node opens
	held *os.File // keeps the node's end open, so that reading never fails while no node runs
	chip *os.File

	mu       sync.Mutex
	cut      bool        // nothing gets through
	flip     bool        // alter the next POST to a function
	flipped  chan []byte // takes the chip's answer to the altered request
	flipID   uint16      // its message ID, while flipped waits
	lastCall []byte      // the last POST to a function that went to the chip, a CoAP message
	injected map[uint16]chan []byte
	closed   chan struct{}
	wg       sync.WaitGroup
}

// Tap puts a Wire between the chip's pty and a new one that the node is to open as link.
func Tap(chipPath, link string) (*Wire, error) {
	chip, err := openRaw(chipPath)
	if err != nil {
		return nil, err
	}
	node, held, err := pty.Open()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tap the wire: %w", err), chip.Close())
	}
	if err := makeRaw(held); err != nil {
		return nil, errors.Join(fmt.Errorf("tap the wire: %w", err), chip.Close(), node.Close(), held.Close())
	}
	_ = os.Remove(link)
	if err := os.Symlink(held.Name(), link); err != nil {
		return nil, errors.Join(fmt.Errorf("tap the wire: %w", err), chip.Close(), node.Close(), held.Close())
	}
	w := &Wire{Path: link, node: node, held: held, chip: chip, injected: map[uint16]chan []byte{}, closed: make(chan struct{})}
	w.wg.Add(2)
	go w.pump(w.node, w.chip, w.toChip)
	go w.pump(w.chip, w.node, w.toNode)
	return w, nil
}

// Close takes the tap away.
func (w *Wire) Close() error {
	select {
	case <-w.closed:
		return nil
	default:
		close(w.closed)
	}
	err := errors.Join(os.Remove(w.Path), w.node.Close(), w.chip.Close(), w.held.Close())
	w.wg.Wait()
	return err
}

// Cut takes the line apart: until Mend nothing gets through, either way.
func (w *Wire) Cut() { w.setCut(true) }

// Mend joins the line again.
func (w *Wire) Mend() { w.setCut(false) }

func (w *Wire) setCut(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

// isCut reports whether nothing gets through.
func (w *Wire) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// FlipNext alters one bit in the payload of the next request that calls a function. The channel gets the chip's answer to it, which
// the node gets too.
func (w *Wire) FlipNext() <-chan []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.flip, w.flipped = true, make(chan []byte, 1)
	return w.flipped
}

// LastCall is the last request that called a function, as recorded from the wire.
func (w *Wire) LastCall() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Clone(w.lastCall)
}

// Inject sends a CoAP message to the chip under a new message ID and gives the chip's answer, which the node never sees.
func (w *Wire) Inject(ctx context.Context, message []byte) ([]byte, error) {
	if len(message) < 4 {
		return nil, errors.New("inject: not a CoAP message")
	}
	m := bytes.Clone(message)
	var id [2]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	copy(m[2:4], id[:])
	answer := make(chan []byte, 1)
	key := binary.BigEndian.Uint16(id[:])
	w.mu.Lock()
	w.injected[key] = answer
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.injected, key)
		w.mu.Unlock()
	}()
	for {
		if _, err := w.chip.Write(slipEncode(m)); err != nil {
			return nil, fmt.Errorf("inject: %w", err)
		}
		again := time.NewTimer(2 * time.Second)
		select {
		case a := <-answer:
			again.Stop()
			return a, nil
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, fmt.Errorf("inject: no answer: %w", ctx.Err())
		}
	}
}

// toChip sees a message on its way to the chip and gives what is to go on.
func (w *Wire) toChip(m []byte) []byte {
	if !callsFunction(m) {
		return m
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lastCall = bytes.Clone(m)
	if w.flip {
		w.flip, w.flipID = false, binary.BigEndian.Uint16(m[2:4])
		m = bytes.Clone(m)
		m[len(m)-1] ^= 1 // the payload is last
	}
	return m
}

// toNode keeps the answers to injected messages from the node.
func (w *Wire) toNode(m []byte) []byte {
	w.see(m)
	if len(m) < 4 {
		return m
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	id := binary.BigEndian.Uint16(m[2:4])
	if w.flipped != nil && !w.flip && id == w.flipID {
		w.flipped <- bytes.Clone(m)
		w.flipped = nil
	}
	if answer, ok := w.injected[id]; ok {
		select {
		case answer <- bytes.Clone(m):
		default:
		}
		return nil
	}
	return m
}

func (w *Wire) pump(from, to *os.File, see func([]byte) []byte) {
	defer w.wg.Done()
	var frame []byte
	buf := make([]byte, 512)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		for _, b := range buf[:n] {
			if b != slipEnd {
				if frame = append(frame, b); len(frame) > 4096 {
					frame = nil
				}
				continue
			}
			if m, ok := slipDecode(frame); ok && !w.isCut() {
				if m = see(m); m != nil {
					if _, err := to.Write(slipEncode(m)); err != nil {
						return
					}
				}
			}
			frame = frame[:0]
		}
	}
}

// callsFunction reports whether a CoAP message (RFC 7252 3) is a POST with a payload whose first
// path segment is "f".
func callsFunction(m []byte) bool {
	if len(m) < 4 || m[1] != 0x02 {
		return false
	}
	return bytes.Contains(m, []byte{0xb1, 'f'}) && bytes.IndexByte(m, 0xff) > 0
}

func openRaw(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open serial line: %w", err)
	}
	if err := makeRaw(f); err != nil {
		return nil, errors.Join(fmt.Errorf("open serial line %s: %w", path, err), f.Close())
	}
	return f, nil
}

// makeRaw does not use Fd, which would make reads that Close cannot end.
func makeRaw(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var raw error
	if err := c.Control(func(fd uintptr) { _, raw = term.MakeRaw(int(fd)) }); err != nil {
		return err
	}
	return raw
}

// SLIP, RFC 1055, with a CRC-16/CCITT-FALSE before the closing END (docs/spec/wire.md). Written apart from package coap, so
// that the two check each other.
const (
	slipEnd    = 0xc0
	slipEsc    = 0xdb
	slipEscEnd = 0xdc
	slipEscEsc = 0xdd
)

func slipEncode(m []byte) []byte {
	out := []byte{slipEnd}
	for _, b := range binary.BigEndian.AppendUint16(bytes.Clone(m), crc16(m)) {
		switch b {
		case slipEnd:
			out = append(out, slipEsc, slipEscEnd)
		case slipEsc:
			out = append(out, slipEsc, slipEscEsc)
		default:
			out = append(out, b)
		}
	}
	return append(out, slipEnd)
}

func slipDecode(frame []byte) ([]byte, bool) {
	out := make([]byte, 0, len(frame))
	for i := 0; i < len(frame); i++ {
		b := frame[i]
		if b == slipEsc {
			if i++; i == len(frame) {
				return nil, false
			}
			switch frame[i] {
			case slipEscEnd:
				b = slipEnd
			case slipEscEsc:
				b = slipEsc
			default:
				return nil, false
			}
		}
		out = append(out, b)
	}
	n := len(out) - 2
	if n < 1 || crc16(out[:n]) != binary.BigEndian.Uint16(out[n:]) {
		return nil, false
	}
	return out[:n], true
}

func crc16(data []byte) uint16 {
	crc := uint16(0xffff)
	for _, b := range data {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
