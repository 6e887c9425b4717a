// Package linktest gives tests a device: the capability package's own verifier behind the datagram form, on a real UDP
// socket or in serial frames on any byte stream. It is a stand-in for firmware, with no limits of a small machine, and not
// for use outside tests.
package linktest

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// Device is a greenhouse: a log "temperature", a function "valve" with one byte of argument.
type Device struct {
	Manifest edgeistry.Manifest
	// Before, if set, is called with each request that is no repetition, before it is served. True: the answer is lost.
	Before func(req *coap.Message) (lose bool)
	// Asleep lets it hear nothing.
	Asleep atomic.Bool

	mu      sync.Mutex
	claim   capability.Claimable
	guard   *capability.Guard
	cells   capability.MemoryCounters
	epoch   uint16
	raised  [capability.BranchMirror + 1]uint8 // generations
	unix    time.Time                          // as told; zero: the clock is unknown
	toldAt  time.Time
	mark    time.Time // high-water mark, as in EEPROM
	booted  time.Time
	boot    uint32
	entries [][]byte
	valve   byte
	moves   int
	last    uint16 // message ID
	answer  []byte // to it
}

// New returns a device that is not claimed.
func New(setup capability.SetupCode) *Device {
	d := &Device{
		Manifest: edgeistry.Manifest{
			Board: "test", Firmware: "greenhouse/1.0",
			Logs:      []edgeistry.LogInfo{{Name: "temperature", Period: 10, Size: 2}},
			Functions: []edgeistry.FunctionInfo{{Name: "valve", Argument: "u8:0..100"}},
		},
		claim:   capability.Claimable{ID: setup.ID, FactoryKey: setup.FactoryKey(), Board: "test"},
		epoch:   1,
		entries: [][]byte{{0, 205}, {0, 206}, {0, 207}},
	}
	d.Reboot()
	return d
}

// Claimed returns a device that belongs to the holder of the key.
func Claimed(hint [4]byte, key capability.EpochKey) *Device {
	d := New(capability.SetupCode{ID: [4]byte{1, 2, 3, 4}, Seed: [16]byte{5}})
	d.claim.Claimed, d.claim.Hint, d.claim.Key = true, hint, key
	d.Reboot()
	return d
}

// ahead reports whether the clock, or its high-water mark, is more than 2 s past t. The caller holds mu.
func (d *Device) ahead(t time.Time) bool {
	now := d.mark
	if !d.unix.IsZero() {
		now = d.unix.Add(time.Since(d.toldAt))
	}
	return now.Sub(t) > 2*time.Second
}

// SetClock sends the device a time past all rules, as a node whose clock was wrong did.
func (d *Device) SetClock(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unix, d.toldAt, d.mark = t, time.Now(), t
}

// Clock returns the time that the device goes by; zero: unknown.
func (d *Device) Clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unix.IsZero() {
		return d.unix
	}
	return d.unix.Add(time.Since(d.toldAt))
}

// Reboot ends all sessions and raises the boot counter.
func (d *Device) Reboot() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot++
	d.claim.Boot = d.boot
	d.booted = time.Now()
	d.answer, d.unix = nil, time.Time{}
	d.arm()
}

func (d *Device) arm() {
	cfg := capability.GuardConfig{
		Hint: d.claim.Hint, Epoch: d.epoch, Boot: d.boot, Generations: d.raised,
		CookieKey: d.claim.Key.CookieKey(d.boot), BranchKey: d.claim.Key.BranchKeys(d.epoch), Slots: 16,
	}
	if !d.claim.Claimed {
		cfg.Closed = capability.ReasonUnclaimed
	}
	cfg.EnablePrivacy, cfg.Counters, cfg.Slots = true, &d.cells, 32
	guard, err := capability.NewGuard(cfg)
	if err != nil {
		panic(err) // the configuration above is right
	}
	d.guard = guard
}

// Flash installs other firmware and starts the device.
func (d *Device) Flash(m edgeistry.Manifest) {
	d.mu.Lock()
	d.Manifest = m
	d.mu.Unlock()
	d.Reboot()
}

// Append adds entries to its logs, which all hold the same.
func (d *Device) Append(entries ...[]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, entries...)
}

// has reports whether the firmware has a log of that name. The caller holds mu.
func (d *Device) has(log string) bool {
	return slices.ContainsFunc(d.Manifest.Logs, func(l edgeistry.LogInfo) bool { return l.Name == log })
}

// Era returns the epoch, and the generation of a branch.
func (d *Device) Era(branch uint8) (epoch uint16, generation uint8) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.epoch, d.raised[branch]
}

// Moves returns how often the valve moved, and its position.
func (d *Device) Moves() (moves int, valve byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.moves, d.valve
}

func (d *Device) now() capability.Now {
	now := capability.Now{Tick: uint32(time.Since(d.booted) / capability.TickDuration)}
	if !d.unix.IsZero() {
		now.Unix = uint32(d.unix.Add(time.Since(d.toldAt)).Unix())
	}
	return now
}

// Handle takes one message and gives the answer to send; nil: none.
func (d *Device) Handle(raw []byte) []byte {
	in, err := coap.DecodeDatagram(raw)
	if d.Asleep.Load() || err != nil || in.Type != coap.Confirmable || in.Message.Code>>5 != 0 || in.Message.Code == 0 {
		return nil
	}
	d.mu.Lock()
	repeated := d.answer != nil && d.last == in.ID
	answer := d.answer
	d.mu.Unlock()
	if repeated {
		return answer
	}
	lose := false
	if d.Before != nil {
		lose = d.Before(&in.Message)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	resp := d.serve(&in.Message)
	out, err := (&coap.Datagram{Type: coap.Acknowledgement, ID: in.ID, Token: in.Token, Message: *resp}).Append(nil)
	if err != nil {
		return nil
	}
	d.last, d.answer = in.ID, out
	if lose {
		return nil
	}
	return out
}

func (d *Device) serve(req *coap.Message) *coap.Message {
	switch path := req.Path(); {
	case path == "/.well-known/core" && req.Code == coap.CodeGET:
		links, err := coap.EncodeLinks(d.Manifest)
		if err != nil {
			return capability.Refusal(capability.ReasonStorage)
		}
		resp := &coap.Message{Code: coap.CodeContent, Payload: links}
		resp.AddUint(coap.OptionContentFormat, coap.ContentFormatLink)
		return resp
	case path == "/h" && req.Code == coap.CodePOST:
		return d.guard.AnswerHello(req, d.now())
	case path == "/k" && req.Code == coap.CodePOST:
		return d.serveClaim(req)
	}
	admission, resp := d.guard.Check(req, d.now())
	if admission == nil {
		return resp
	}
	return d.act(admission, admission.Request)
}

func (d *Device) serveClaim(req *coap.Message) *coap.Message {
	claimed := d.claim.Claimed
	answer, reason := d.claim.Answer(req.Payload, d.now())
	if reason != capability.ReasonNone {
		return capability.Refusal(reason)
	}
	if d.claim.Claimed && !claimed {
		d.arm()
	}
	return &coap.Message{Code: coap.CodeChanged, Payload: answer}
}

func (d *Device) act(a *capability.Admission, req *coap.Message) *coap.Message {
	switch {
	case a.Operation == capability.Call && a.Name == "valve":
		if len(req.Payload) != 1 || req.Payload[0] > 100 {
			return a.Refuse(capability.ReasonArgument, d.now())
		}
		d.moves++
		d.valve = req.Payload[0]
		return a.Answer(&coap.Message{Code: coap.CodeChanged, Payload: []byte{d.valve}}, d.now())
	case a.Operation == capability.Read && d.has(a.Name):
		return d.read(a)
	case a.Management == capability.ManageCell:
		cell, id, reason := a.Cell()
		if reason == capability.ReasonNone {
			reason = d.guard.Reserve(cell, id)
		}
		if reason != capability.ReasonNone {
			return a.Refuse(reason, d.now())
		}
		return a.Answer(&coap.Message{Code: coap.CodeChanged}, d.now())
	case a.Operation == capability.Time:
		unix, back, reason := a.Clock()
		if reason == capability.ReasonNone && !back && d.ahead(time.Unix(int64(unix), 0)) {
			reason = capability.ReasonTime
		}
		if reason != capability.ReasonNone {
			return a.Refuse(reason, d.now())
		}
		d.unix, d.toldAt = time.Unix(int64(unix), 0), time.Now()
		d.mark = d.unix
		return a.Answer(&coap.Message{Code: coap.CodeChanged}, d.now())
	case a.Management == capability.ManageGeneration:
		return d.raise(a)
	case a.Management == capability.ManageEpoch:
		return d.nextEpoch(a)
	}
	return a.Refuse(capability.ReasonNotFound, d.now())
}

// raise ends a branch's generation.
func (d *Device) raise(a *capability.Admission) *coap.Message {
	branch, generation, reason := a.Generation()
	if reason != capability.ReasonNone {
		return a.Refuse(reason, d.now())
	}
	if generation != d.raised[branch] {
		d.raised[branch] = generation
		d.guard.SetGeneration(branch, generation)
	}
	return a.Answer(&coap.Message{Code: coap.CodeChanged}, d.now())
}

// nextEpoch ends everything.
func (d *Device) nextEpoch(a *capability.Admission) *coap.Message {
	epoch, r, reason := a.Epoch()
	if reason != capability.ReasonNone {
		return a.Refuse(reason, d.now())
	}
	d.claim.Key = d.claim.Key.Next(epoch, r)
	d.epoch, d.raised = epoch, [capability.BranchMirror + 1]uint8{}
	if err := d.guard.SetEpoch(epoch, d.claim.Key.CookieKey(d.boot), d.claim.Key.BranchKeys(epoch)); err != nil {
		return a.Refuse(capability.ReasonStorage, d.now())
	}
	return a.Answer(&coap.Message{Code: coap.CodeChanged}, d.now())
}

func (d *Device) read(a *capability.Admission) *coap.Message {
	var payload []byte
	switch {
	case !a.Query.HasFrom && !a.Query.HasAfter:
		payload = coap.EncodeHead(edgeistry.Head{
			Place: edgeistry.Place{Incarnation: d.boot, Sequence: uint32(len(d.entries))}, Oldest: 1,
		})
	default:
		from := a.Query.From
		if a.Query.HasAfter {
			from = a.Query.After.Sequence + 1
			if a.Query.After.Incarnation != d.boot { // that one is over
				from = 1
			}
		}
		if from < 1 || int(from) > len(d.entries)+1 {
			return a.Refuse(capability.ReasonNotKept, d.now())
		}
		entries := d.entries[from-1:]
		if a.Query.HasCount {
			entries = entries[:min(int(a.Query.Count), len(entries))]
		}
		var previous edgeistry.Hash
		for i, e := range d.entries[:from-1] {
			at := edgeistry.Place{Incarnation: d.boot, Sequence: uint32(i + 1)}
			previous = edgeistry.ChainHash(d.claim.Hint, a.Name, at, previous, e)
		}
		payload, _ = coap.EncodeRange(coap.Range{Incarnation: d.boot, First: from, Previous: previous, Entries: entries}) // of a few bytes
	}
	return a.Answer(&coap.Message{Code: coap.CodeContent, Payload: payload}, d.now())
}

// ServeUDP answers on socket until it is closed.
func (d *Device) ServeUDP(socket net.PacketConn) {
	buf := make([]byte, coap.MaxDatagram)
	for {
		n, from, err := socket.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if answer := d.Handle(buf[:n]); answer != nil {
			_, _ = socket.WriteTo(answer, from) // who asks repeats what is lost
		}
	}
}

// ServeSerial answers on line until reading it fails.
func (d *Device) ServeSerial(line io.ReadWriter) {
	frames := coap.SLIPReader{Max: coap.MaxSerial}
	buf := make([]byte, 256)
	for {
		n, err := line.Read(buf)
		for _, c := range buf[:n] {
			message, ok := frames.Next(c)
			if !ok {
				continue
			}
			if answer := d.Handle(message); answer != nil {
				_, _ = line.Write(coap.AppendSLIP(nil, answer)) // who asks repeats what is lost
			}
		}
		if err != nil {
			return
		}
	}
}

// News returns the message by which a device says that a log has grown.
func News(id uint16) []byte {
	raw := []byte{0x50, 2, 0, 0, 0xB1, 'u'}
	binary.BigEndian.PutUint16(raw[2:], id)
	return raw
}
