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
func (c *Capability) Cost() Cost {
	carried := len(c.Carried())
	var k Cost
	k.OpenBytes = optionBytes(openFixed+carried) + tokenBytes
	k.OpenHMACs = 5 + len(c.Frames) // cookie, branch key, frames, session key, two tags
	n := hmacCompressions(9+nonceSize+HeaderSize) + hmacCompressions(5)
	for i, f := range c.Frames {
		length := 2 + len(f)
		if i == 0 {
			length += 1 + HeaderSize
		}
		n += hmacCompressions(length)
	}
	n += hmacCompressions(1 + nonceSize + cookieSize)
	n += hmacCompressions(11 + sampleCanonical + 4 + openFixed - openTagSize + carried)
	n += hmacCompressions(1 + 4 + 4 + openTagSize + 4 + 1 + sampleAnswer + 4 + 6)

	value := sessionSize
	if carried > keptCarried {
		value = sessionFramesFixed + carried
		k.RequestHMACs++ // the digest
	}
	request := hmacCompressions(11+sampleCanonical+4+value-tagSize) +
		hmacCompressions(1+4+4+tagSize+4+1+sampleAnswer+4+6)
	if carried > keptCarried {
		digest := hmacCompressions(2 + carried)
		n += digest
		request += digest
		k.OpenHMACs++
	}
	k.RequestBytes = optionBytes(value) + tokenBytes
	k.RequestHMACs += 2
	k.OpenCycles = n*AVRCyclesPerCompression + AVRCyclesPerExchange
	k.RequestCycles = request*AVRCyclesPerCompression + AVRCyclesPerExchange
	return k
}

// AVRTime gives how long an ATmega328P at 16 MHz takes for so many cycles.
func AVRTime(cycles int) time.Duration {
	return time.Duration(cycles) * time.Second / AVRClockHz
}
