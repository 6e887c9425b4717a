package main

import (
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
)

func TestFieldEncodesAsTheManifestSays(t *testing.T) {
	for _, test := range []struct{ spec, number, want, wantErr string }{
		{"u8:0..100", "20", "14", ""},
		{"u8:0..100", "90", "5a", ""},
		{"u8:0..100", "255", "ff", ""}, // out of the manifest's bounds: the device answers that, not this side
		{"u8:0..100", "256", "", "does not fit into 1 byte (0..255)"},
		{"u8", "-1", "", "does not fit"},
		{"i8", "-1", "ff", ""},
		{"i8", "-129", "", "does not fit"},
		{"u16", "258", "0102", ""},
		{"u16le", "258", "0201", ""},
		{"i16:-400..850", "-2", "fffe", ""},
		{"i16le:-400..850", "-2", "feff", ""},
		{"u32", "4294967295", "ffffffff", ""},
		{"i32", "-2147483648", "80000000", ""},
		{"u8", "twenty", "", "not a whole number"},
		{"u8", "", "", "not a whole number"},
	} {
		f, err := parseField(test.spec)
		if err != nil {
			t.Fatalf("parseField(%q) = %v", test.spec, err)
		}
		got, err := f.encode(test.number)
		if test.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("%s.encode(%q) error = %v, want %q", test.spec, test.number, err, test.wantErr)
			}
			continue
		}
		if err != nil || hex.EncodeToString(got) != test.want {
			t.Errorf("%s.encode(%q) = %x, %v, want %s", test.spec, test.number, got, err, test.want)
		}
		n, ok := f.decode(got)
		if !ok {
			t.Errorf("%s.decode(%x) is not ok", test.spec, got)
		}
		if again, err := f.encode(itoa(n)); err != nil || hex.EncodeToString(again) != test.want {
			t.Errorf("%s: decode(%x) = %d, which encodes as %x, %v", test.spec, got, n, again, err)
		}
	}
}

func TestFieldRefusesWhatIsNoSpelling(t *testing.T) {
	for _, spec := range []string{"", "u9", "u64", "le", "U8", "u8:", "u8:1", "u8:5..1", "u8:-1..3", "u8:0..256", "i8:0..200", "u8:0..1..2", "u8:a..b", "text"} {
		if f, err := parseField(spec); err == nil {
			t.Errorf("parseField(%q) = %+v, want an error", spec, f)
		}
	}
}

func TestReadablePayload(t *testing.T) {
	for _, test := range []struct{ payload, want string }{
		{"", "(empty)"},
		{"14", "14   20"},
		{"ff", "ff   255 or -1"},
		{"00d7", "00d7   215"},
		{"ffec", "ffec   65516 or -20"},
		{"00000102", "00000102   258"},
		{"37", `37   55 or "7"`},
		{"6f70656e", `6f70656e   1869636974 or "open"`},
		{"0a", "0a   10"},
		{"68656c6c6f", `"hello"`},
		{"010203", "010203"},
		{"1b5b324a78", "1b5b324a78"}, // an escape sequence never reaches a terminal
		{"ffffffffff", "ffffffffff"},
	} {
		raw, err := hex.DecodeString(test.payload)
		if err != nil {
			t.Fatal(err)
		}
		if got := readable(raw); got != test.want {
			t.Errorf("readable(%s) = %q, want %q", test.payload, got, test.want)
		}
	}
}

func TestReadBoundedStopsAtTheLimit(t *testing.T) {
	got, err := readBounded("-", strings.NewReader("12345678"), 8)
	if err != nil || string(got) != "12345678" {
		t.Errorf("readBounded of 8 bytes = %q, %v", got, err)
	}
	if _, err := readBounded("-", strings.NewReader("123456789"), 8); exitCode(err) != exitUsage {
		t.Errorf("readBounded of 9 bytes = %v, want wrong usage", err)
	}
	if _, err := readBounded(t.TempDir()+"/none", nil, 8); exitCode(err) != exitNotFound {
		t.Errorf("readBounded of a missing file = %v, want not found", err)
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
