package program

import (
	"bufio"
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// TestPrograms holds the checker against the vectors: broken is what it refuses, and nothing else.
func TestPrograms(t *testing.T) {
	f, err := os.Open("../testdata/programs.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	counts := map[bool]int{}
	lines := bufio.NewScanner(f)
	name := ""
	for lines.Scan() {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			name = line
			continue
		}
		values := strings.Fields(line)
		if len(values) != 10 {
			t.Fatalf("%q has %d values, want 10", line, len(values))
		}
		body, err := hex.DecodeString(strings.TrimPrefix(values[9], "-"))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		err = Check(body)
		if broken := values[0] == "2"; broken != (err != nil) {
			t.Errorf("Check(%x) = %v, verdict %s (%s)", body, err, values[0], name)
		}
		counts[err == nil]++
	}
	if err := lines.Err(); err != nil || counts[true] < 1000 || counts[false] < 1000 {
		t.Errorf("%d valid and %d broken programs, %v: too few to show anything", counts[true], counts[false], err)
	}
	if err := Check(make([]byte, 256)); err == nil {
		t.Error("256 bytes are no program")
	}
}

func TestParameters(t *testing.T) {
	for _, c := range []struct {
		payload  string
		argument uint32
	}{{"", 0}, {"\x80", 0x80}, {"\x01\x02", 0x102}, {"\xff\xff\xff\xff", 0xffffffff}, {"\x01\x02\x03\x04\x05", 0x1020304}} {
		in := Input{Operation: 4, Name: "valve", Payload: []byte(c.payload), First: 1, Last: 2, Hold: 3, Unix: 4, Tick: 5}
		want := [Parameters]uint32{4, c.argument, uint32(len(c.payload)), 5, 1, 2, 3, 4, 5}
		if got := in.Parameters(); got != want {
			t.Errorf("payload %x: Parameters() = %v, want %v", c.payload, got, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte{0x01, 0x01, 0x7f, 0x03, 0x40, 0x20, 0x09, 0x2d, 0x00, 0x20, 0x0d, 0x00, 0x0b, 0x41, 0x01, 0x0b})
	f.Fuzz(func(t *testing.T, body []byte) {
		if Check(body) == nil && Check(append([]byte{}, append(body, 0x0b)...)) == nil {
			t.Errorf("%x is valid, and with a byte behind it too", body)
		}
	})
}
