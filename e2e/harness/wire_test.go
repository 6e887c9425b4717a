package harness

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/creack/pty"
)

func TestCRC16CheckValue(t *testing.T) {
	if got := crc16([]byte("123456789")); got != 0x29b1 {
		t.Fatalf("crc16(123456789) = %04x, want 29b1 (CRC-16/CCITT-FALSE)", got)
	}
}

func TestSLIPRoundTrip(t *testing.T) {
	m := []byte{0x40, 0x02, slipEnd, slipEsc, slipEscEnd, 0xff, 0}
	frame := slipEncode(m)
	got, ok := slipDecode(frame[1 : len(frame)-1])
	if !ok || !bytes.Equal(got, m) {
		t.Fatalf("slipDecode(slipEncode(%x)) = %x, %v", m, got, ok)
	}
	frame[2] ^= 1
	if got, ok := slipDecode(frame[1 : len(frame)-1]); ok {
		t.Fatalf("a damaged frame decoded to %x", got)
	}
}

// A tap passes frames both ways, records and alters calls, and keeps answers to injected messages from the node.
func TestTap(t *testing.T) {
	dir := t.TempDir()
	master, slave, err := pty.Open() // master: the chip; slave: what the tap opens
	if err != nil {
		t.Fatal(err)
	}
	defer master.Close()
	defer slave.Close()
	w, err := Tap(slave.Name(), dir+"/wire")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	node, err := openRaw(w.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	call := []byte{0x40, 0x02, 0, 7, 0xb1, 'f', 0x05, 'v', 'a', 'l', 'v', 'e', 0xff, 20}

	read := func(f *os.File) []byte {
		t.Helper()
		var got []byte
		buf := make([]byte, 256)
		if err := f.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := f.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
			if len(got) > 2 && got[len(got)-1] == slipEnd {
				m, ok := slipDecode(got[1 : len(got)-1])
				if !ok {
					t.Fatalf("not a frame: %x", got)
				}
				return m
			}
		}
	}
	w.FlipNext()
	if _, err := node.Write(slipEncode(call)); err != nil {
		t.Fatal(err)
	}
	if got := read(master); got[len(got)-1] != 21 {
		t.Fatalf("the flipped call arrived as %x, want its last byte 15", got)
	}
	if !bytes.Equal(w.LastCall(), call) {
		t.Fatalf("LastCall() = %x, want %x", w.LastCall(), call)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	done := make(chan []byte, 1)
	go func() {
		a, err := w.Inject(ctx, call)
		if err != nil {
			t.Error(err)
		}
		done <- a
	}()
	injected := read(master)
	answer := append([]byte{0x60, 0x44}, injected[2:4]...)
	if _, err := master.Write(slipEncode(answer)); err != nil {
		t.Fatal(err)
	}
	if got := <-done; !bytes.Equal(got, answer) {
		t.Fatalf("Inject() = %x, want %x", got, answer)
	}
	plain := []byte{0x60, 0x45, 9, 9}
	if _, err := master.Write(slipEncode(plain)); err != nil {
		t.Fatal(err)
	}
	if got := read(node); !bytes.Equal(got, plain) {
		t.Fatalf("the node read %x, want %x and nothing of the injected exchange", got, plain)
	}
}
