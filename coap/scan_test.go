package coap

import (
	"bytes"
	"errors"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"
)

// option encodes one option by hand, whatever its length.
func option(delta int, value []byte) []byte {
	field := func(n int) (byte, []byte) {
		switch {
		case n < 13:
			return byte(n), nil
		case n < 269:
			return 13, []byte{byte(n - 13)}
		}
		return 14, []byte{byte((n - 269) >> 8), byte(n - 269)}
	}
	d, dx := field(delta)
	l, lx := field(len(value))
	return bytes.Join([][]byte{{d<<4 | l}, dx, lx, value}, nil)
}

func TestScanOptionsLengths(t *testing.T) {
	for _, c := range []struct {
		number   uint16
		min, max int
	}{
		{1, 0, 8},
		{3, 1, 255},
		{4, 1, 8},
		{5, 0, 0},
		{6, 0, 3},
		{7, 0, 2},
		{11, 0, 255},
		{12, 0, 2},
		{14, 0, 4},
		{15, 0, 255},
		{16, 1, 1},
		{17, 0, 2},
		{23, 0, 3},
		{27, 0, 3},
		{28, 0, 4},
		{35, 1, 1034},
		{39, 1, 255},
		{60, 0, 4},
		{292, 0, 8},
		{65000, 14, 32},
		{65001, 17, 255},
		{65004, 0, 64},
	} {
		for _, length := range []int{c.min - 1, c.min, c.max, c.max + 1} {
			if length < 0 {
				continue
			}
			raw := append(option(int(c.number), make([]byte, length)), 0xFF, 1)
			payload, err := scanOptions(raw)
			var illegal *OptionError
			if legal := length >= c.min && length <= c.max; legal != (err == nil) || !legal && !errors.As(err, &illegal) {
				t.Errorf("scanOptions(option %d of %d bytes) = %v, want legal %v", c.number, length, err, legal)
			}
			if payload != len(raw)-1 {
				t.Errorf("scanOptions(option %d of %d bytes): payload at %d, want %d", c.number, length, payload, len(raw)-1)
			}
			if illegal != nil && illegal.Number != c.number {
				t.Errorf("illegal option %d, want %d", illegal.Number, c.number)
			}
		}
	}
}

// TestScanCatchesWhatGoCoAPDrops is why the scan exists: the library passes the message on without the option.
func TestScanCatchesWhatGoCoAPDrops(t *testing.T) {
	raw := append([]byte{0x40, 1, 0, 1}, option(35, make([]byte, 1035))...) // Proxy-Uri, critical, too long
	_, err := DecodeDatagram(raw)
	var illegal *OptionError
	if !errors.As(err, &illegal) || !illegal.Critical() || illegal.Code() != CodeBadOption {
		t.Errorf("DecodeDatagram = %v, want a critical option refused with 4.02", err)
	}
	options := make(message.Options, 0, MaxOptions)
	if _, err := options.Unmarshal(raw[4:], message.CoapOptionDefs); err != nil || len(options) != 0 {
		t.Errorf("go-coap no longer drops it (%v, %v): the comment in scan.go is out of date", options, err)
	}
}

func TestScanOptionsRefuses(t *testing.T) {
	many := []byte{}
	for range MaxOptions {
		many = append(many, 0xB0&^0xF0) // delta 0, length 0
	}
	many[0] = 0xB0
	if _, err := scanOptions(many); err != nil {
		t.Errorf("scanOptions(%d options) = %v", MaxOptions, err)
	}
	for _, c := range []struct {
		name string
		raw  []byte
		form bool // ErrMalformed rather than *OptionError
	}{
		{"too many", append(many, 0), true},
		{"marker without payload", []byte{0xFF}, true},
		{"delta 15", []byte{0xF0}, true},
		{"length 15", []byte{0xBF}, true},
		{"delta cut", []byte{0xD0}, true},
		{"delta cut in two", []byte{0xE0, 1}, true},
		{"length cut", []byte{0xBD}, true},
		{"value cut", []byte{0xB2, 'a'}, true},
		{"number beyond 65535", append(option(65000, make([]byte, 20)), option(600, nil)...), true},
		{"number 0", []byte{0x00}, false},
		{"Uri-Host twice", append(option(3, []byte("a")), option(0, []byte("b"))...), false},
		{"65001 twice", append(option(65001, make([]byte, 20)), option(0, make([]byte, 20))...), false},
	} {
		_, err := scanOptions(c.raw)
		var illegal *OptionError
		if err == nil || errors.Is(err, ErrMalformed) != c.form || errors.As(err, &illegal) == c.form {
			t.Errorf("%s: scanOptions = %v", c.name, err)
		}
	}
}

func TestDatagramRoundTrip(t *testing.T) {
	d := Datagram{Type: Confirmable, ID: 0xFFFE, Token: []byte{1, 2}, Message: Message{Code: CodePOST, Payload: []byte{9}}}
	d.Message.Add(OptionRequest, bytes.Repeat([]byte{7}, 255))
	d.Message.Add(OptionURIPath, []byte("f"))
	d.Message.Add(OptionURIPath, []byte("valve"))
	d.Message.Add(OptionTrace, nil)
	raw, err := d.Append([]byte{0xAA})
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeDatagram(raw[1:])
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Append(nil)
	if err != nil || !bytes.Equal(again, raw[1:]) {
		t.Errorf("decode and encode: %x, %v, want %x", again, err, raw[1:])
	}
	if back.Message.Path() != "/f/valve" || back.ID != d.ID || !bytes.Equal(back.Token, d.Token) {
		t.Errorf("DecodeDatagram = %+v, want %+v", back, d)
	}
}

func TestEncodeRefuses(t *testing.T) {
	d := Datagram{Message: Message{Code: 1, Options: []Option{{Number: 11}, {Number: 3, Value: []byte("a")}}}}
	if _, err := d.Append(nil); err == nil {
		t.Error("options out of order were encoded")
	}
	d.Message.Options = make([]Option, MaxOptions+1)
	if _, err := d.Append(nil); err == nil {
		t.Error("too many options were encoded")
	}
	d = Datagram{Token: make([]byte, 9), Message: Message{Code: 1}}
	if _, err := d.Append(nil); err == nil {
		t.Error("a token of 9 bytes was encoded")
	}
}

func FuzzDatagram(f *testing.F) {
	f.Add([]byte{0x40, 0, 0, 1})
	f.Add([]byte{0x42, 1, 0, 1, 9, 9, 0xB1, 'h', 0xFF, 1})
	f.Add(append([]byte{0x40, 2, 0, 1}, option(65001, make([]byte, 17))...))
	f.Add(append([]byte{0x40, 2, 0, 1}, option(12, []byte{1, 2, 3})...))
	f.Add([]byte{0x50, 2, 0, 0, 0xB1, 'u'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		kept := bytes.Clone(raw)
		d, err := DecodeDatagram(raw)
		if !bytes.Equal(kept, raw) {
			t.Fatal("the input was changed")
		}
		if err != nil {
			return
		}
		once, err := d.Append(nil)
		if err != nil {
			t.Fatalf("decoded, not encoded: %v", err)
		}
		if len(once) > len(raw) {
			t.Fatalf("%x grew to %x", raw, once)
		}
		again, err := DecodeDatagram(once)
		if err != nil {
			t.Fatalf("encoded, not decoded: %v", err)
		}
		twice, err := again.Append(nil)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("no fixpoint: %x, %x, %v", once, twice, err)
		}
	})
}

// FuzzScanOptions holds the scan against go-coap: what it admits, the library must read with nothing lost.
func FuzzScanOptions(f *testing.F) {
	f.Add([]byte{0xB1, 'h', 0xFF, 1})
	f.Add([]byte{0xD1, 3, 1})
	f.Add([]byte{0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		payload, err := scanOptions(raw)
		if err != nil {
			return
		}
		options := make(message.Options, 0, MaxOptions)
		n, err := options.Unmarshal(raw, message.CoapOptionDefs)
		if err != nil || n != payload {
			t.Fatalf("go-coap reads %x to %d with %v, the scan to %d", raw, n, err, payload)
		}
		size, err := options.Marshal(nil)
		if err != nil && !errors.Is(err, message.ErrTooSmall) || size > payload {
			t.Fatalf("options of %x take %d bytes again, %v", raw, size, err)
		}
	})
}
