package capability

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/capability/twintest"
	"github.com/edgeistry/edgeistry/coap"
)

var (
	twinRuns = flag.Int("twin-runs", 20_000, "messages that TestTwin gives both verifiers")
	twinSeed = flag.Uint64("twin-seed", 1, "and the seed they are made from")
)

// TestTwin hands the Go guard and the C core the same bytes at the same ticks, good and bad ones, and wants the same
// bytes back and the same requests run.
func TestTwin(t *testing.T) {
	in, out := twintest.Start(t, "edg-guard-pipe")
	twin := &twin{t: t, in: in, out: out}
	for round := range max(1, *twinRuns/2000) {
		playTwin(t, twin, *twinSeed+uint64(round))
		for _, closed := range []Reason{ReasonUnclaimed, ReasonBootLost} {
			playTwinClosed(t, twin, *twinSeed+uint64(round), closed)
		}
		if t.Failed() {
			return
		}
	}
}

// twin is the C core behind a pipe; firmware/test/guard_pipe.c says what it takes.
type twin struct {
	t   testing.TB
	in  io.Writer
	out *bufio.Reader
}

func (w *twin) say(format string, args ...any) string {
	w.t.Helper()
	if _, err := fmt.Fprintf(w.in, format+"\n", args...); err != nil {
		w.t.Fatal(err)
	}
	line, err := w.out.ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error") {
		w.t.Fatalf("%.200s: %q, %v", fmt.Sprintf(format, args...), line, err)
	}
	return strings.TrimSpace(line)
}

// twinPlay is one verifier of each kind and what came to them so far.
type twinPlay struct {
	*twin
	r       random
	g       *Guard
	ke      EpochKey
	now     Now
	n       uint16 // message ID
	tuned   []*caller
	record  []*coap.Message
	counts  map[string]int
	current string

	guard      *Capability // whose word third-party frames demand
	chains     []Identity  // that cells may be reserved for
	noPrograms bool        // the C core runs them, and nobody here does
}

// playTwinClosed hands the same to verifiers that refuse everything protected.
func playTwinClosed(t *testing.T, w *twin, seed uint64, closed Reason) {
	t.Helper()
	ke, hint := testKey(), testService().Hint()
	var cfg GuardConfig
	var cells, program, private int
	init := w.say("init ke=%x hint=%x epoch=1 boot=7 generations=%x closed=%d", ke[:], hint, cfg.Generations[:], closed)
	if _, err := fmt.Sscanf(init, "ok slots=%d carried=%d cells=%d buckets=%d program=%d private=%d",
		&cfg.Slots, &cfg.MaxCarried, &cells, &cfg.Buckets, &program, &private); err != nil {
		t.Fatal(init, err)
	}
	cfg.Hint, cfg.Epoch, cfg.Boot, cfg.Closed, cfg.EnablePrivacy = hint, 1, 7, closed, private == 1
	cfg.CookieKey, cfg.BranchKey = ke.CookieKey(7), ke.BranchKeys(1)
	g, err := NewGuard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &twinPlay{twin: w, r: newRandom(seed), g: g, ke: ke, now: Now{Tick: 1000}, counts: map[string]int{}, guard: guardCapability(t)}
	for range 100 {
		k := &caller{c: p.capability()}
		k.nonce = [nonceSize]byte(p.r.bytes(nonceSize))
		k.useCookie([cookieSize]byte(p.r.bytes(cookieSize)), p.now.Tick)
		switch p.current = "closed"; p.r.IntN(4) {
		case 0:
			p.send(p.hello())
		case 1:
			p.send(p.unprotected())
		case 2:
			p.send(k.open(p.r.Uint32N(3), 100, p.wish()))
		default:
			p.tuned = []*caller{k}
			m := p.request(k)
			if p.r.IntN(3) == 0 {
				m = p.flip(m)
			}
			p.send(m)
		}
	}
}

func playTwin(t *testing.T, w *twin, seed uint64) {
	t.Helper()
	var cfg GuardConfig
	ke := testKey()
	cfg.Generations[3], cfg.Generations[0] = 2, 0
	boot := uint32(7)
	var cells, program, private int
	hint := testService().Hint()
	init := w.say("init ke=%x hint=%x epoch=1 boot=%d generations=%x", ke[:], hint, boot, cfg.Generations[:])
	if _, err := fmt.Sscanf(init, "ok slots=%d carried=%d cells=%d buckets=%d program=%d private=%d",
		&cfg.Slots, &cfg.MaxCarried, &cells, &cfg.Buckets, &program, &private); err != nil {
		t.Fatal(init, err)
	}
	cfg.Hint, cfg.Epoch, cfg.Boot, cfg.EnablePrivacy = hint, 1, boot, private == 1
	cfg.CookieKey, cfg.BranchKey = ke.CookieKey(boot), ke.BranchKeys(1)
	cfg.Counters = &MemoryCounters{}
	g, err := NewGuard(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &twinPlay{
		twin: w, r: newRandom(seed), g: g, ke: ke, now: Now{Tick: 1000, Unix: 100}, counts: map[string]int{}, noPrograms: program == 1,
		guard: guardCapability(t),
	}
	if seed%3 == 0 {
		p.now.Tick = math.MaxUint32 - 3000 // it begins anew on the way
	}
	for range 2000 {
		p.step()
		if t.Failed() {
			t.Logf("seed %d, message %d", seed, p.n)
			return
		}
	}
	t.Logf("seed %d: %v", seed, p.counts)
	for _, what := range []string{"open", "request", "again", "flip", "ran", "refused", "parts", "discharges", "cell", "unprotected", "inner", "inner again", "many options"} {
		if p.counts[what] < 20 {
			t.Errorf("seed %d: only %d of %q: too few to show anything", seed, p.counts[what], what)
		}
	}
}

func (p *twinPlay) step() {
	r := p.r
	if r.IntN(4) == 0 {
		p.now.Tick += []uint32{1, 3, 10, 21, 60, 101, 70000}[min(r.IntN(7), r.IntN(9))]
	}
	if r.IntN(50) == 0 {
		p.now.Unix = r.Uint32N(200)
	}
	if r.IntN(300) == 0 {
		branch := []uint8{0, 3, 15}[r.IntN(3)]
		generation := p.g.Generation(branch) + 1
		p.say("generation branch=%d generation=%d", branch, generation)
		p.g.SetGeneration(branch, generation)
	}
	if r.IntN(40) == 0 {
		p.reserve()
	}
	if r.IntN(700) == 0 {
		p.ratchet()
	}
	if r.IntN(12) == 0 {
		p.current = "unprotected"
		if r.IntN(3) == 0 {
			p.send(p.hello())
		} else {
			p.send(p.unprotected())
		}
	}
	switch n := r.IntN(20); {
	case len(p.tuned) == 0 || n == 0:
		p.open()
	case n < 10:
		p.current = "request"
		k := p.tuned[max(r.IntN(len(p.tuned)), r.IntN(len(p.tuned)))]
		p.send(p.request(k))
	case n < 15 && len(p.record) > 0:
		p.current = "again"
		m := p.recent().Clone()
		p.send(m)
		if isPrivate(m) {
			p.counts["inner again"]++
		}
	case len(p.record) > 0:
		p.current = "flip"
		p.send(p.flip(p.recent().Clone()))
	}
}

func (p *twinPlay) recent() *coap.Message {
	n := min(len(p.record), 40)
	return p.record[len(p.record)-1-p.r.IntN(n)]
}

// reserve assigns a cell to a chain that has been seen, or frees it, and compares what all cells hold.
func (p *twinPlay) reserve() {
	cell, id := uint8(p.r.IntN(MaxCells)), Identity{}
	if len(p.chains) > 0 && p.r.IntN(5) > 0 {
		id = p.chains[max(p.r.IntN(len(p.chains)), p.r.IntN(len(p.chains)))]
	}
	p.counts["cell"]++
	p.say("cell cell=%d identity=%x", cell, id[:])
	p.g.Reserve(cell, id)
	for cell := range uint8(MaxCells) {
		id, used, _ := p.g.cfg.Counters.Cell(cell)
		if got, want := p.say("count cell=%d", cell), fmt.Sprintf("ok identity=%x count=%d", id[:], used); got != want {
			p.t.Errorf("cell %d: C %s, Go %s", cell, got, want)
		}
	}
}

// ratchet starts the next epoch.
func (p *twinPlay) ratchet() {
	r := [32]byte(p.r.bytes(32))
	epoch := p.g.Epoch() + 1
	p.ke = p.ke.Next(epoch, r)
	p.say("epoch epoch=%d r=%x", epoch, r[:])
	if err := p.g.SetEpoch(epoch, p.ke.CookieKey(p.g.cfg.Boot), p.ke.BranchKeys(epoch)); err != nil {
		p.t.Fatal(err)
	}
	p.chains = nil
}

// capability returns one of up to 4 frames, any frames.
func (p *twinPlay) capability() *Capability {
	r := p.r
	branch := []uint8{0, 0, 3, 3, 15}[r.IntN(5)]
	generation := p.g.Generation(branch)
	if r.IntN(20) == 0 {
		generation++
	}
	epoch := p.g.Epoch()
	h := Header{Branch: branch, Epoch: epoch, Generation: generation, Nonce: [4]byte{byte(r.IntN(6))}}
	c, err := Mint(testService(), p.ke.Branch(epoch, branch, generation), h, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for range r.IntN(4) {
		f := r.frame()
		switch r.IntN(8) {
		case 0, 1, 2, 3: // one that often admits
			f, _ = FrameSpec{Grants: []Grant{{Operations: Read, Prefix: true}, {Operations: Call, Name: "valve", Parts: []Limit{{Type: TypeBound, Bound: Bound{Width: 1, Max: 200}}}}}}.Encode()
		case 4:
			f, _ = FrameSpec{Limits: []Limit{{Type: TypeRate, Rate: Rate{uint8(1 + r.IntN(3)), uint16(1 + r.IntN(3))}}}}.Encode()
		case 5:
			f, _ = counting(uint8(1+r.IntN(9)), uint8(r.IntN(MaxCells))).Encode()
		case 6:
			if l, err := c.ThirdParty(r, p.guard); err == nil {
				f, _ = FrameSpec{Limits: []Limit{l}}.Encode()
			}
		}
		if p.noPrograms && hasProgram(f) {
			continue
		}
		if next, err := c.extend(f); err == nil {
			c = next
			p.chains = append(p.chains[max(0, len(p.chains)-20):], c.Identity())
		}
	}
	return c
}

func hasProgram(f Frame) bool {
	for len(f) > 0 {
		t, _, rest, err := cutConstraint(f)
		if err != nil || t == TypeProgram {
			return t == TypeProgram
		}
		f = rest
	}
	return false
}

// discharge returns the guard's word, sometimes one that is wrong.
func (p *twinPlay) discharge() *Discharge {
	r := p.r
	f := Frame{}
	switch r.IntN(3) {
	case 0:
		f, _ = grantCall(100).Encode()
	case 1:
		if f = r.frame(); len(f) > 20 || hasProgram(f) {
			f = Frame{}
		}
	}
	d := &Discharge{Guard: p.guard.Header.Hint, GuardNonce: p.guard.Header.Nonce, Frame: f, key: dischargeKey(p.guard.key, f)}
	if r.IntN(10) == 0 {
		d.key[r.IntN(keySize)] ^= 1
	}
	return d
}

// open makes one capability or several, says hello, and opens a session with them.
func (p *twinPlay) open() {
	r := p.r
	k := &caller{c: p.capability()}
	if r.IntN(3) == 0 {
		for range 1 + r.IntN(2) {
			if c := p.capability(); k.c.Header.together(c.Header) {
				k.also = append(k.also, c)
				break
			}
		}
		p.counts["parts"]++
	}
	if r.IntN(5) > 0 {
		k.discharges = []*Discharge{p.discharge()}
	}
	if p.g.cfg.EnablePrivacy && r.IntN(3) == 0 {
		k.private = privateBit
	}
	hello, err := k.c.NewHello(r)
	if err != nil {
		p.t.Fatal(err)
	}
	k.nonce = hello.nonce
	hello.Also, hello.Discharges = k.also, k.discharges
	if _, _, err := hello.prove([cookieSize]byte{}); err != nil { // too long together
		k.also, k.discharges = nil, nil
	}
	p.current = "hello"
	resp := p.send(hello.Message())
	if resp.Code != coap.CodeChanged {
		return
	}
	k.useCookie([cookieSize]byte(resp.Payload), p.now.Tick)
	if len(k.discharges) > 0 && bytes.Contains(k.carried, append([]byte{byte(len(k.discharges[0].Frame))}, k.discharges[0].Frame...)) {
		p.counts["discharges"]++
	}
	if len(k.carried) > 80 && r.IntN(20) == 0 { // a discharge where none belongs
		k.carried = appendDischarge(k.carried, 1+r.IntN(4), boundDischarge{nil, r.bytes(bindingSize)})[:min(len(k.carried)+18, maxCarried)]
	}
	p.current = "open"
	resp = p.send(k.open(1, uint8(50+r.IntN(100)), p.wish()))
	if _, ok := resp.Get(coap.OptionResponse); ok {
		k.noteSlot(resp)
		k.tick = 1 // from here on the newest sequence
		p.tuned = append(p.tuned, k)
	}
	if len(p.tuned) > 6 {
		p.tuned = p.tuned[1:]
	}
}

// request returns a request in a session: mostly the next, sometimes out of order, old, in the
// future or widened.
func (p *twinPlay) request(k *caller) *coap.Message {
	r := p.r
	sequence := k.tick + 1
	switch r.IntN(12) {
	case 0:
		sequence = k.tick + 1 + r.Uint32N(40)
	case 1:
		sequence = k.tick - min(k.tick, r.Uint32N(40))
	case 2:
		sequence = r.Uint32()
		if r.IntN(8) > 0 {
			sequence = k.tick + 1
		}
	}
	k.tick = max(k.tick, sequence)
	tick := p.now.Tick
	if r.IntN(3) == 0 {
		tick += 5 - r.Uint32N(150)
	}
	var frames []byte
	if len(k.carried) > keptCarried || r.IntN(6) == 0 {
		frames = k.carried
	}
	if r.IntN(20) == 0 {
		frames = p.tuned[r.IntN(len(p.tuned))].carried
	}
	hold := uint8(r.IntN(256))
	if k.private != 0 && r.IntN(2) == 0 {
		p.counts["inner"]++
		return k.inner(sequence, tick, hold, p.inner(), frames)
	}
	m := k.request(sequence, tick, hold, p.wish(), frames)
	if k.private != 0 && r.IntN(20) == 0 {
		m = k.outer(sequence, tick, hold, p.wish(), frames) // in clear, and said to be private
	}
	return m
}

func isPrivate(m *coap.Message) bool {
	proof, _ := m.Get(coap.OptionRequest)
	return len(proof) > 0 && proof[0]&privateBit != 0
}

// inner makes what a private request holds: often a request, with as many things wrong with it as come together.
func (p *twinPlay) inner() []byte {
	r := p.r
	m := p.wish()
	m.Remove(coap.OptionRequest)
	b := appendInner(nil, m)
	for r.IntN(3) == 0 {
		switch at := r.IntN(len(b) + 1); r.IntN(6) {
		case 0:
			b = b[:at]
		case 1:
			b = append(b, r.bytes(1+r.IntN(3))...)
		case 2:
			if at < len(b) {
				b[at] ^= 1 << r.IntN(8)
			}
		case 3:
			if len(b) > 0 {
				b[0] = byte(r.IntN(9)) // the code
			}
		case 4:
			b = append(b, payloadMarker)
		default: // an option that has nothing to do here, at the front
			if len(b) > 0 && len(m.Options) > 0 {
				m.Add([]uint16{coap.OptionObserve, coap.OptionSize1, coap.OptionURIHost, coap.OptionRequestTag, coap.OptionRequest, 9}[r.IntN(6)], r.bytes(r.IntN(20)))
				b = appendInner(nil, m)
			}
		}
	}
	return b
}

// unprotected returns a request without proof that is for no resource which needs none.
func (p *twinPlay) unprotected() *coap.Message {
	for {
		m := p.wish()
		m.Remove(coap.OptionRequest)
		m.Code = uint8(1 + p.r.IntN(4))
		if path := m.Path(); (path != "/h" && path != "/k" || m.Code != coap.CodePOST) && path != "/.well-known/core" {
			return m
		}
	}
}

// hello returns one that is often wrong.
func (p *twinPlay) hello() *coap.Message {
	r := p.r
	header := Header{Hint: testService().Hint(), Epoch: 1, Branch: uint8(r.IntN(16))}.encode()
	m := postMessage("h")
	m.Payload = append(r.bytes(nonceSize), header[:]...)
	for r.IntN(2) == 0 {
		switch r.IntN(4) {
		case 0:
			m.Payload = r.bytes(r.IntN(24))
		case 1:
			if len(m.Payload) > 8 {
				m.Payload[8] ^= 1 << r.IntN(8)
			}
		case 2:
			p.spoil(m)
		default:
			p.crowd(m)
		}
	}
	return m
}

// spoil adds an option that may be wrong, or not.
func (p *twinPlay) spoil(m *coap.Message) {
	r := p.r
	numbers := [...]uint16{
		coap.OptionIfMatch, coap.OptionURIHost, coap.OptionETag, coap.OptionIfNoneMatch, coap.OptionObserve, coap.OptionURIPort, coap.OptionURIPath,
		coap.OptionContentFormat, coap.OptionMaxAge, coap.OptionURIQuery, coap.OptionHopLimit, coap.OptionAccept, coap.OptionBlock2, coap.OptionBlock1,
		coap.OptionSize1, coap.OptionSize2, coap.OptionRequestTag, coap.OptionTrace, coap.OptionResponse, 2049, 2048,
	}
	n := r.IntN(5)
	if r.IntN(6) == 0 {
		n = r.IntN(34)
	}
	m.Add(numbers[r.IntN(len(numbers))], r.bytes(n))
}

// crowd fills a message up with options, to about as many as there may be.
func (p *twinPlay) crowd(m *coap.Message) {
	number := []uint16{coap.OptionIfMatch, coap.OptionIfNoneMatch, coap.OptionRequestTag, coap.OptionSize1}[p.r.IntN(4)]
	for n := 29 + p.r.IntN(6); len(m.Options) < n; {
		m.Add(number, nil)
	}
	p.counts["many options"]++
}

// wish returns a message to protect, now and then with several things wrong at once.
func (p *twinPlay) wish() *coap.Message {
	m := p.plainWish()
	for p.r.IntN(6) == 0 {
		p.spoil(m)
	}
	if p.r.IntN(15) == 0 {
		p.crowd(m)
	}
	return m
}

func (p *twinPlay) plainWish() *coap.Message {
	r := p.r
	switch r.IntN(12) {
	case 0:
		return readMessage("temperature")
	case 1:
		return withObserve(readMessage(r.name()), uint32(r.IntN(3)))
	case 2, 3:
		queries := queryCases()
		return readMessage("temperature", queries[r.IntN(len(queries))].queries...)
	case 4:
		return postMessage("l", r.name())
	case 5:
		m := postMessage([]string{"t", "g", "e", "n", "h", "k", "x", ""}[r.IntN(8)])
		m.Payload = r.bytes(r.IntN(8))
		return m
	case 6:
		return plainMessage(uint8(1+r.IntN(6)), []string{"l", "f", "t"}[r.IntN(3)], r.name())
	case 7:
		m := callMessage("valve", 1)
		m.Add([]uint16{coap.OptionSize1, coap.OptionSize2, coap.OptionAccept, coap.OptionContentFormat, coap.OptionURIHost, coap.OptionTrace, 2049, 2048}[r.IntN(8)], r.bytes(r.IntN(4)))
		return m
	}
	return callMessage([]string{"valve", "valve", "valve", "temp", "t"}[r.IntN(5)], r.bytes(r.IntN(27))...)
}

// flip changes one thing of a message.
func (p *twinPlay) flip(m *coap.Message) *coap.Message {
	r := p.r
	proof, _ := m.Get(coap.OptionRequest)
	switch n := r.IntN(10); {
	case n < 6 && len(proof) > 0:
		proof[r.IntN(len(proof))] ^= 1 << r.IntN(8)
	case n == 6 && len(proof) > 0:
		m.Set(coap.OptionRequest, proof[:r.IntN(len(proof))])
	case n == 7 && len(m.Payload) > 0:
		m.Payload[r.IntN(len(m.Payload))] ^= 1 << r.IntN(8)
	case n == 8 && len(proof) > 0:
		m.Set(coap.OptionRequest, append(bytes.Clone(proof), r.bytes(1+r.IntN(3))...))
	default:
		m.Payload = append(m.Payload, 0)
	}
	return m
}

// send hands a message to both and compares.
func (p *twinPlay) send(m *coap.Message) *coap.Message {
	p.t.Helper()
	p.n++
	p.counts[p.current]++
	token := []byte{0xed}
	raw := coapBytes(m, 0, p.n, token)
	var resp *coap.Message
	ran := "ran=0"
	if IsHello(m) {
		resp = p.g.AnswerHello(m, p.now)
	} else {
		p.record = append(p.record, m.Clone())
		var a *Admission
		if a, resp = p.g.Check(m, p.now); a != nil {
			resp = application(a, a.Request)
			p.say("app code=%d payload=%x", resp.Code, resp.Payload)
			ran = fmt.Sprintf("ran=1 op=%d slot=%d name=%x", a.Operation, a.Slot, a.Name)
			resp = a.Answer(resp, p.now)
			p.counts["ran"]++
		} else {
			p.counts["refused"]++
		}
	}
	want := fmt.Sprintf("answer=%s %s", hex.EncodeToString(coapBytes(resp, 2, p.n, token)), ran)
	got := p.say("msg tick=%d unix=%d message=%x", p.now.Tick, p.now.Unix, raw)
	if got != want {
		p.t.Errorf("%s %x at tick %d, unix %d:\nC  %s\nGo %s", p.current, raw, p.now.Tick, p.now.Unix, got, want)
	}
	return resp
}
