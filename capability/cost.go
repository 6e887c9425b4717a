package capability

import "time"

// What checking costs an ATmega328P at 16 MHz, from the firmware in its simulator (make -C firmware sim-cost, program-cost, ascon). TestCostOfChip
// holds them against the counts of a call under every kind of proof.
const (
	avrClockHz              = 16_000_000
	avrCyclesPerCompression = 25_600 // of SHA-256: 23.9 k, and what an HMAC does around it
	avrCyclesPerExchange    = 71_000 // all the rest: the line, parsing, policy, the handler, and 2 compressions for its log
	avrCyclesPerCount       = 2 * avrCyclesPerEEPROMByte
	avrCyclesPerProgramByte = 340 // validated and run, each instruction once; a loop can take it to 125 k cycles in all

	avrCyclesPerEEPROMByte = 54_400 // 3.4 ms
	avrCyclesPerAscon      = 21_400 // of at most 15 bytes
	avrCyclesPerAscon16    = 6_900  // for each further block of 16
)

// readyCompressions counts the compressions of SHA-256 in an HMAC whose padded key the device keeps hashed: one for the outer hash, and the
// message with its 9 bytes of padding in blocks of 64.
func readyCompressions(message int) int { return 1 + (message+9+63)/64 }

// padCompressions are those of a key that comes new.
const padCompressions = 2

// Cost reports what a capability costs on the way and at a device of 8 bits. Open is for the first
// request of a session, with its answer, Request for a later one, and Private for what privacy adds
// to either.
type Cost struct {
	OpenBytes, RequestBytes int // added to the request: option 65001 with its header, and a token of 4
	PrivateBytes            int // added to the request, and as many to its answer

	OpenHMACs, RequestHMACs, PrivateHMACs                      int
	OpenCompressions, RequestCompressions, PrivateCompressions int // of SHA-256
	OpenCycles, RequestCycles, PrivateCycles                   int // of an ATmega328P
}

const (
	tokenBytes = 4
	// A request in mind for the tags: code, two path segments as in /f/valve, one byte of payload.
	sampleCanonical = 1 + (4 + 1) + (4 + 5) + 2 + 1
	sampleAnswer    = 1 + 2 + 4
	sampleInner     = 1 + (1 + 1) + (1 + 5) + 1 + 1 // the same, encrypted
)

// optionBytes is the length of an option 65001 with its header (RFC 7252 3.1): its number needs two bytes more.
func optionBytes(value int) int {
	if value < 13 {
		return 3 + value
	}
	return 4 + value // lengths of 13 to 268 need one byte more
}

// Cost computes the costs. Cycles are estimates, for a short call within a twentieth. Time that writing EEPROM takes is among them.
func (c *Capability) Cost() Cost { return c.CostWith(nil, nil) }

// CostWith computes the costs of a session that more capabilities prove too, with the discharges that their frames demand.
func (c *Capability) CostWith(also []*Capability, discharges []*Discharge) Cost {
	parts := append([]*Capability{c}, also...)
	open, request := tally{}, tally{}
	open.ready(9 + nonceSize + headerSize) // cookie
	carried := len(parts) - 1              // a byte between two parts
	for i, part := range parts {
		open.chain(part)
		open.hmac(1 + nonceSize + cookieSize) // session key
		if i > 0 {
			open.hmac(1 + keySize) // join
		}
		carried += len(part.Carried())
	}
	open.compressions += padCompressions // the session key is made ready
	carried += open.settle(parts, discharges)

	cost := Cost{OpenBytes: optionBytes(openFixed+carried) + tokenBytes}
	value := sessionSize
	if carried > keptCarried {
		value = sessionFramesFixed + carried
		open.ready(2 + carried) // the digest
		request.ready(2 + carried)
	}
	cost.RequestBytes = optionBytes(value) + tokenBytes
	open.exchange(openFixed+carried, openTagSize)
	request.exchange(value, tagSize)
	meters := meterCycles(parts, discharges)
	cost.OpenHMACs, cost.OpenCompressions, cost.OpenCycles = open.hmacs, open.compressions, open.cycles()+meters
	cost.RequestHMACs, cost.RequestCompressions, cost.RequestCycles = request.hmacs, request.compressions, request.cycles()+meters

	private := tally{}
	private.ready(2) // the keys of both directions
	private.ready(2)
	cost.PrivateBytes = privateOverhead
	cost.PrivateHMACs, cost.PrivateCompressions = private.hmacs, private.compressions
	cost.PrivateCycles = private.compressions*avrCyclesPerCompression + asconCycles(sampleInner) + asconCycles(1)
	return cost
}

// asconCycles is for encrypting or decrypting a text.
func asconCycles(text int) int { return avrCyclesPerAscon + text/16*avrCyclesPerAscon16 }

// tally counts HMACs.
type tally struct{ hmacs, compressions int }

func (k *tally) cycles() int { return k.compressions*avrCyclesPerCompression + avrCyclesPerExchange }

// ready counts an HMAC under a key that is ready, hmac one under a new key.
func (k *tally) ready(message int) {
	k.hmacs++
	k.compressions += readyCompressions(message)
}

func (k *tally) hmac(message int) {
	k.ready(message)
	k.compressions += padCompressions
}

// chain counts the keys of a branch and of its frames.
func (k *tally) chain(c *Capability) {
	k.hmac(5)
	for i, f := range c.Frames {
		length := 2 + len(f)
		if i == 0 {
			length += 1 + headerSize
		}
		k.hmac(length)
	}
}

// exchange counts the tags of a request and of its answer.
func (k *tally) exchange(value, tag int) {
	k.ready(11 + sampleCanonical + 4 + value - tag)
	k.ready(1 + 4 + 4 + tag + 4 + 1 + sampleAnswer + 4 + 6)
}

// settle counts what comes once the tag has verified, and gives the bytes of the discharges. All keys are derived again then: to check discharges,
// with the session keys before them, and once more to find cells and buckets.
func (k *tally) settle(parts []*Capability, discharges []*Discharge) (bytes int) {
	discharged, metered := false, false
	for _, part := range parts {
		for _, f := range part.Frames {
			l := f.once()
			metered = metered || l.hasCount || l.hasRate
			if d := dischargeFor(f, discharges); d != nil {
				discharged = true
				bytes += 2 + len(d.Frame) + bindingSize
				k.ready(1 + 4)           // mask
				k.hmac(2 + len(d.Frame)) // discharge key
				k.hmac(1 + keySize)      // binding
			}
		}
	}
	for _, part := range parts {
		if discharged {
			k.chain(part)
			k.hmac(1 + nonceSize + cookieSize)
			k.chain(part)
		}
		if metered {
			k.chain(part)
		}
	}
	return bytes
}

// meterCycles returns what counts and programs cost each request.
func meterCycles(parts []*Capability, discharges []*Discharge) (cycles int) {
	for _, part := range parts {
		for _, f := range part.Frames {
			if f.once().hasCount {
				cycles += avrCyclesPerCount
			}
			cycles += f.programBytes() * avrCyclesPerProgramByte
			if d := dischargeFor(f, discharges); d != nil {
				cycles += d.Frame.programBytes() * avrCyclesPerProgramByte
			}
		}
	}
	return cycles
}

// programBytes counts the bytes of a frame's programs.
func (f Frame) programBytes() (n int) {
	for len(f) > 0 {
		t, value, rest, err := cutConstraint(f)
		if err != nil {
			break
		}
		f = rest
		if t == TypeProgram {
			n += len(value)
		}
	}
	return n
}

// OpenTime, RequestTime and PrivateTime return how long an ATmega328P at 16 MHz takes for the cycles.
func (c Cost) OpenTime() time.Duration { return avrTime(c.OpenCycles) }

// RequestTime is as OpenTime.
func (c Cost) RequestTime() time.Duration { return avrTime(c.RequestCycles) }

// PrivateTime is as OpenTime.
func (c Cost) PrivateTime() time.Duration { return avrTime(c.PrivateCycles) }

func avrTime(cycles int) time.Duration {
	return time.Duration(cycles) * time.Second / avrClockHz
}
