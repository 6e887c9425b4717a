package capability

import "time"

// What checking costs an ATmega328P at 16 MHz, from the firmware in its simulator (make -C firmware sim-cost): a compression of SHA-256
// takes 23.9 k cycles, and with what an HMAC adds around it a quarter of the 102 k to 106 k of a whole one; the rest of an
// exchange is parsing, policy and the answer.
const (
	AVRClockHz              = 16_000_000
	AVRCyclesPerCompression = 26_350
	AVRCyclesPerExchange    = 45_000
)

// hmacCompressions counts the compressions of SHA-256 in an HMAC: two for the padded key, which the firmware does not keep, one
// for the outer hash, and the message with its 9 bytes of padding in blocks of 64.
func hmacCompressions(message int) int { return 3 + (message+9+63)/64 }

// Cost says what a capability costs on the way and at a device of 8 bits.
type Cost struct {
	OpenBytes     int // added to the first request: option 65001 with its header, and a token of 4
	RequestBytes  int // added to every later one
	OpenHMACs     int // to check the first request and to answer it
	RequestHMACs  int // to check a later one and to answer it
	OpenCycles    int // of an ATmega328P
	RequestCycles int
}

const (
	tokenBytes = 4
	// A request in mind for the tags: code, two path segments as in /f/valve, one byte of payload.
	sampleCanonical = 1 + (4 + 1) + (4 + 5) + 2 + 1
	sampleAnswer    = 1 + 2 + 1
)

// optionBytes is the length of an option 65001 with its header (RFC 7252 3.1): its number needs two bytes more.
func optionBytes(value int) int {
	if value < 13 {
		return 3 + value
	}
	return 4 + value // lengths of 13 to 268 need one byte more
}

// Cost computes the costs. Cycles are estimates: compressions counted, times AVRCyclesPerCompression, and AVRCyclesPerExchange.
func (c *Capability) Cost() Cost { return c.CostWith(nil, nil) }

// CostWith computes the costs of a session that more capabilities prove too, with the discharges that their frames demand.
func (c *Capability) CostWith(also []*Capability, discharges []*Discharge) Cost {
	k := tally{}
	k.hmac(9 + nonceSize + HeaderSize) // cookie
	carried := 0
	for i, part := range append([]*Capability{c}, also...) {
		if i > 0 {
			carried++
			k.hmac(1 + keySize) // join
		}
		carried += len(part.Carried()) + k.part(part, discharges)
	}
	var cost Cost
	cost.OpenBytes = optionBytes(openFixed+carried) + tokenBytes
	k.hmac(11 + sampleCanonical + 4 + openFixed - openTagSize + carried)
	k.hmac(1 + 4 + 4 + openTagSize + 4 + 1 + sampleAnswer + 4 + 6)

	value, request := sessionSize, tally{}
	if carried > keptCarried {
		value = sessionFramesFixed + carried
		k.hmac(2 + carried) // the digest
		request.hmac(2 + carried)
	}
	request.hmac(11 + sampleCanonical + 4 + value - tagSize)
	request.hmac(1 + 4 + 4 + tagSize + 4 + 1 + sampleAnswer + 4 + 6)
	cost.RequestBytes = optionBytes(value) + tokenBytes
	cost.OpenHMACs, cost.RequestHMACs = k.hmacs, request.hmacs
	cost.OpenCycles = k.compressions*AVRCyclesPerCompression + AVRCyclesPerExchange
	cost.RequestCycles = request.compressions*AVRCyclesPerCompression + AVRCyclesPerExchange
	return cost
}

// tally counts HMACs.
type tally struct{ hmacs, compressions int }

func (k *tally) hmac(message int) {
	k.hmacs++
	k.compressions += hmacCompressions(message)
}

// chain counts the branch key and the keys of the first n frames.
func (k *tally) chain(c *Capability, n int) {
	k.hmac(5)
	for i, f := range c.Frames[:n] {
		length := 2 + len(f)
		if i == 0 {
			length += 1 + HeaderSize
		}
		k.hmac(length)
	}
}

// part counts the keys of one capability, and gives the bytes of its discharges. Frames with a count, a rate or a third party
// have theirs derived a second time, once the tag has verified.
func (k *tally) part(c *Capability, discharges []*Discharge) (bytes int) {
	k.chain(c, len(c.Frames))
	k.hmac(1 + nonceSize + cookieSize) // session key
	again := -1
	for i, f := range c.Frames {
		l := f.once()
		if l.hasThirdParty {
			again = max(again, i)
		}
		if l.hasCount || l.hasRate {
			again = i + 1
		}
		for _, d := range discharges {
			if l.hasThirdParty && d.fits(l.thirdParty) {
				bytes += 2 + len(d.Frame) + bindingSize
				k.hmac(1 + 4)            // mask
				k.hmac(2 + len(d.Frame)) // discharge key
				k.hmac(1 + keySize)      // binding
				break
			}
		}
	}
	if again >= 0 {
		k.chain(c, again)
	}
	return bytes
}

// AVRTime gives how long an ATmega328P at 16 MHz takes for so many cycles.
func AVRTime(cycles int) time.Duration {
	return time.Duration(cycles) * time.Second / AVRClockHz
}
