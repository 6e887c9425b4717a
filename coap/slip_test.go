package coap

import (
	"bytes"
	"testing"
)

// feed returns all messages in b.
func feed(r *SLIPReader, b []byte) [][]byte {
	var messages [][]byte
	for _, c := range b {
		if m, ok := r.Next(c); ok {
			messages = append(messages, bytes.Clone(m))
		}
	}
	return messages
}

func TestCRC16(t *testing.T) {
	if got := crc16([]byte("123456789")); got != 0x29B1 { // the check value of CRC-16/CCITT-FALSE
		t.Errorf("crc16 = %04x, want 29b1", got)
	}
}

func TestSLIPBytes(t *testing.T) {
	got := AppendSLIP(nil, []byte{0xC0, 1, 0xDB})
	want := []byte{0xC0, 0xDB, 0xDC, 1, 0xDB, 0xDD}
	if !bytes.HasPrefix(got, want) || got[len(got)-1] != 0xC0 {
		t.Errorf("AppendSLIP = %x, want %x and the CRC", got, want)
	}
}

func TestSLIPReader(t *testing.T) {
	good := AppendSLIP(nil, []byte("message"))
	damaged := bytes.Clone(good)
	damaged[3] ^= 1
	longest := bytes.Repeat([]byte{0xC0}, MaxSerial)
	for _, c := range []struct {
		name    string
		in      []byte
		want    []string
		dropped uint64
	}{
		{"one", good, []string{"message"}, 0},
		{"two", append(bytes.Clone(good), good...), []string{"message", "message"}, 0},
		{"one END between", append(bytes.Clone(good[:len(good)-1]), good...), []string{"message", "message"}, 0},
		{"noise before", append([]byte("noise"), good...), []string{"message"}, 1},
		{"empty frames", append([]byte{0xC0, 0xC0, 0xC0}, good...), []string{"message"}, 0},
		{"wrong CRC", append(damaged, good...), []string{"message"}, 1},
		{"no escape", append([]byte{0xC0, 'a', 0xDB, 'b', 'c', 0xC0}, good...), []string{"message"}, 1},
		{"escape at the end", append([]byte{0xC0, 'a', 0xDB, 0xC0}, good...), []string{"message"}, 1},
		{"CRC only", append([]byte{0xC0, 0xFF, 0xFF, 0xC0}, good...), []string{"message"}, 1},
		{"longest", AppendSLIP(nil, longest), []string{string(longest)}, 0},
		{"too long", append(AppendSLIP(nil, append(longest, 1)), good...), []string{"message"}, 1},
	} {
		var r SLIPReader
		got := feed(&r, c.in)
		if len(got) != len(c.want) {
			t.Errorf("%s: %d messages, want %d", c.name, len(got), len(c.want))
			continue
		}
		for i := range got {
			if string(got[i]) != c.want[i] {
				t.Errorf("%s: message %q, want %q", c.name, got[i], c.want[i])
			}
		}
		if r.Dropped != c.dropped {
			t.Errorf("%s: %d dropped, want %d", c.name, r.Dropped, c.dropped)
		}
	}
}

func FuzzSLIP(f *testing.F) {
	f.Add([]byte("message"), []byte{0xC0, 0xDB})
	f.Add([]byte{0xC0, 0xDB, 0xDC, 0xDD}, []byte{})
	f.Add(bytes.Repeat([]byte{0xDB}, MaxSerial), []byte("noise"))
	f.Fuzz(func(t *testing.T, message, noise []byte) {
		var r SLIPReader
		feed(&r, noise)
		if cap(r.frame) > 1024 {
			t.Fatalf("%d bytes held", cap(r.frame))
		}
		got := feed(&r, AppendSLIP(nil, message))
		if len(message) == 0 || len(message) > MaxSerial {
			for _, m := range got {
				if len(m) > MaxSerial {
					t.Fatalf("a message of %d bytes", len(m))
				}
			}
			return
		}
		if len(got) == 0 || !bytes.Equal(got[len(got)-1], message) {
			t.Fatalf("after noise %x: %x, want %x", noise, got, message)
		}
	})
}
