package ascon

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

type vector struct {
	count                              string
	key, nonce, text, data, ciphertext []byte
}

// vectors reads the official vectors, which the C core is held against too.
func vectors(t testing.TB) []vector {
	t.Helper()
	f, err := os.Open("../../testdata/ascon_aead128.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []vector
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " = ")
		if !ok {
			continue
		}
		if name == "Count" {
			all = append(all, vector{count: value})
			continue
		}
		b, err := hex.DecodeString(value)
		if err != nil || len(all) == 0 {
			t.Fatalf("bad line %q", lines.Text())
		}
		v := &all[len(all)-1]
		switch name {
		case "Key":
			v.key = b
		case "Nonce":
			v.nonce = b
		case "PT":
			v.text = b
		case "AD":
			v.data = b
		case "CT":
			v.ciphertext = b
		}
	}
	if len(all) != 1089 {
		t.Fatalf("%d vectors, want 1089", len(all))
	}
	return all
}

func TestOfficialVectors(t *testing.T) {
	for _, v := range vectors(t) {
		a := NewAEAD([KeySize]byte(v.key))
		if got := a.Seal(nil, v.nonce, v.text, v.data); !bytes.Equal(got, v.ciphertext) {
			t.Errorf("vector %s: Seal = %x, want %x", v.count, got, v.ciphertext)
		}
		if got, err := a.Open(nil, v.nonce, v.ciphertext, v.data); err != nil || !bytes.Equal(got, v.text) {
			t.Errorf("vector %s: Open = %x, %v, want %x", v.count, got, err, v.text)
		}
	}
}

func TestInPlaceAndAppended(t *testing.T) {
	for _, v := range vectors(t) {
		a := NewAEAD([KeySize]byte(v.key))
		buf := append(make([]byte, 0, 64), v.text...)
		if got := a.Seal(buf[:0], v.nonce, buf, v.data); !bytes.Equal(got, v.ciphertext) {
			t.Fatalf("vector %s: Seal in place = %x, want %x", v.count, got, v.ciphertext)
		}
		buf = buf[:len(v.ciphertext)]
		if got, err := a.Open(buf[:0], v.nonce, buf, v.data); err != nil || !bytes.Equal(got, v.text) {
			t.Fatalf("vector %s: Open in place = %x, %v, want %x", v.count, got, err, v.text)
		}
		head := []byte("head")
		sealed := a.Seal(head, v.nonce, v.text, v.data)
		if want := append([]byte("head"), v.ciphertext...); !bytes.Equal(sealed, want) {
			t.Fatalf("vector %s: Seal = %x, want %x", v.count, sealed, want)
		}
		if got, err := a.Open(head, v.nonce, sealed[4:], v.data); err != nil || !bytes.Equal(got, append([]byte("head"), v.text...)) {
			t.Fatalf("vector %s: Open = %x, %v, want %x after the head", v.count, got, err, v.text)
		}
	}
}

func TestTagSize(t *testing.T) {
	for _, v := range vectors(t) {
		for size := MinTagSize; size <= TagSize; size++ {
			a, err := NewAEADWithTagSize([KeySize]byte(v.key), size)
			if err != nil {
				t.Fatal(err)
			}
			want := v.ciphertext[:len(v.text)+size]
			if got := a.Seal(nil, v.nonce, v.text, v.data); !bytes.Equal(got, want) {
				t.Fatalf("vector %s, tag of %d: Seal = %x, want %x", v.count, size, got, want)
			}
			if got, err := a.Open(nil, v.nonce, want, v.data); err != nil || !bytes.Equal(got, v.text) {
				t.Fatalf("vector %s, tag of %d: Open = %x, %v, want %x", v.count, size, got, err, v.text)
			}
		}
	}
	for _, size := range []int{-1, 0, MinTagSize - 1, TagSize + 1} {
		if _, err := NewAEADWithTagSize([KeySize]byte{}, size); err == nil {
			t.Errorf("NewAEADWithTagSize(%d): no error", size)
		}
	}
}

// TestOneBitChanged changes every bit of key, nonce, data and ciphertext in turn, and cuts the ciphertext at every length.
func TestOneBitChanged(t *testing.T) {
	for _, v := range vectors(t) {
		if len(v.text)%8 != 1 || len(v.data)%8 != 1 {
			continue
		}
		refused := func(what string, at int, key, nonce, ciphertext, data []byte) {
			t.Helper()
			dst := make([]byte, 0, 64)
			got, err := NewAEAD([KeySize]byte(key)).Open(dst, nonce, ciphertext, data)
			if err == nil || got != nil {
				t.Fatalf("vector %s: %s %d changed: Open = %x, %v, want an error", v.count, what, at, got, err)
			}
			if left := dst[:64]; !bytes.Equal(left, make([]byte, 64)) {
				t.Fatalf("vector %s: %s %d changed: %x is left in dst", v.count, what, at, left)
			}
		}
		flips := func(what string, b []byte) {
			for i := range 8 * len(b) {
				b[i/8] ^= 1 << (i % 8)
				refused(what, i, v.key, v.nonce, v.ciphertext, v.data)
				b[i/8] ^= 1 << (i % 8)
			}
		}
		flips("bit of the key", v.key)
		flips("bit of the nonce", v.nonce)
		flips("bit of the data", v.data)
		flips("bit of the ciphertext", v.ciphertext)
		for n := range v.ciphertext {
			refused("length", n, v.key, v.nonce, v.ciphertext[:n], v.data)
		}
	}
}

func TestWrongNonceSize(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Seal with a nonce of 12 bytes: no panic")
		}
	}()
	NewAEAD([KeySize]byte{}).Seal(nil, make([]byte, 12), nil, nil)
}

func TestNothingIsAllocated(t *testing.T) {
	var key [KeySize]byte
	var nonce [NonceSize]byte
	a := NewAEAD(key)
	buf := make([]byte, 64, 64+TagSize)
	if n := testing.AllocsPerRun(100, func() {
		sealed := a.Seal(buf[:0], nonce[:], buf, nil)
		if _, err := a.Open(sealed[:0], nonce[:], sealed, nil); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Seal and Open: %v allocations, want 0", n)
	}
}

func FuzzRoundTrip(f *testing.F) {
	for _, v := range vectors(f)[1000:] {
		f.Add(v.key, v.nonce, v.text, v.data, uint8(8), uint16(3))
	}
	f.Fuzz(func(t *testing.T, key, nonce, text, data []byte, tag uint8, flip uint16) {
		key = append(key, make([]byte, KeySize)...)[:KeySize]
		nonce = append(nonce, make([]byte, NonceSize)...)[:NonceSize]
		a, err := NewAEADWithTagSize([KeySize]byte(key), 8+int(tag%9))
		if err != nil {
			t.Fatal(err)
		}
		sealed := a.Seal(nil, nonce, text, data)
		if want := len(text) + a.Overhead(); len(sealed) != want {
			t.Fatalf("Seal of %d bytes gave %d, want %d", len(text), len(sealed), want)
		}
		if got, err := a.Open(nil, nonce, sealed, data); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("Open = %x, %v, want %x", got, err, text)
		}
		bit := int(flip) % (8 * len(sealed))
		sealed[bit/8] ^= 1 << (bit % 8)
		if _, err := a.Open(nil, nonce, sealed, data); err == nil {
			t.Fatalf("bit %d changed: Open gave no error", bit)
		}
	})
}

func BenchmarkSeal64(b *testing.B) {
	var key [KeySize]byte
	var nonce [NonceSize]byte
	buf := make([]byte, 64, 64+TagSize)
	b.ReportAllocs()
	b.SetBytes(64)
	for b.Loop() {
		NewAEAD(key).Seal(buf[:0], nonce[:], buf, nil)
	}
}
