package capability

// window remembers which of the newest 32 sequence numbers came (RFC 6347 4.1.2.6). It is asked only after the
// tag has verified, so that junk cannot move it.
type window struct {
	highest uint32
	bits    uint32 // bit i: highest - i came
}

type windowVerdict uint8

const (
	sequenceNew  windowVerdict = iota // and now taken
	sequenceSeen                      // within the window, came before
	sequenceOld                       // below the window: nobody knows
)

func newWindow(sequence uint32) window { return window{highest: sequence, bits: 1} }

func (w *window) take(sequence uint32) windowVerdict {
	if sequence > w.highest {
		w.bits = w.bits<<(sequence-w.highest) | 1 // a shift of 32 or more gives 0 in Go
		w.highest = sequence
		return sequenceNew
	}
	age := w.highest - sequence
	if age >= 32 {
		return sequenceOld
	}
	if w.bits>>age&1 != 0 {
		return sequenceSeen
	}
	w.bits |= 1 << age
	return sequenceNew
}
