package capability

import "time"

// What checking costs an ATmega328P at 16 MHz. A compression of SHA-256 in assembly takes 24.9 k cycles, and with
// what an HMAC adds around it a quarter of the 105 k measured for a whole one.
const (
	AVRClockHz              = 16_000_000
	AVRCyclesPerCompression = 26_350
)

// hmacCompressions counts the compressions of SHA-256 in an HMAC: two for the padded key, unless they are kept,
// one for the outer hash, and the message with its 9 bytes of padding in blocks of 64.
func hmacCompressions(message int, keyKept bool) int {
	n := 1 + (message+9+63)/64
	if !keyKept {
		n += 2
	}
	return n
}

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

// Cost computes the costs. Cycles are estimates: compressions counted, times AVRCyclesPerCompression.
func (c *Capability) Cost() Cost {
	carried := len(c.Carried())
	var k Cost
	k.OpenBytes = optionBytes(openFixed+carried) + tokenBytes
	k.OpenHMACs = 5 + len(c.Frames) // cookie, branch key, frames, session key, two tags
	n := hmacCompressions(9+nonceSize+HeaderSize, false) + hmacCompressions(5, false)
	for i, f := range c.Frames {
		length := 2 + len(f)
		if i == 0 {
			length += 1 + HeaderSize
		}
		n += hmacCompressions(length, false)
	}
	n += hmacCompressions(1+nonceSize+cookieSize, false)
	n += hmacCompressions(11+sampleCanonical+4+openFixed-openTagSize+carried, false)
	n += hmacCompressions(1+4+4+openTagSize+4+1+sampleAnswer+4+6, true)

	value := sessionSize
	if carried > keptCarried {
		value = sessionFramesFixed + carried
		k.RequestHMACs++ // the digest
	}
	request := hmacCompressions(11+sampleCanonical+4+value-tagSize, true) +
		hmacCompressions(1+4+4+tagSize+4+1+sampleAnswer+4+6, true)
	if carried > keptCarried {
		digest := hmacCompressions(2+carried, true)
		n += digest
		request += digest
		k.OpenHMACs++
	}
	k.RequestBytes = optionBytes(value) + tokenBytes
	k.RequestHMACs += 2
	k.OpenCycles = n * AVRCyclesPerCompression
	k.RequestCycles = request * AVRCyclesPerCompression
	return k
}

// AVRTime gives how long an ATmega328P at 16 MHz takes for so many cycles.
func AVRTime(cycles int) time.Duration {
	return time.Duration(cycles) * time.Second / AVRClockHz
}
