package phrase

import (
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
)

func TestWish(t *testing.T) {
	friday := time.Date(2026, 11, 27, 23, 59, 59, 0, time.UTC)
	for _, c := range []struct {
		id   string
		wish Wish
		want string
		hex  string
	}{
		{"nothing", Wish{}, "everything", ""},
		{
			"as in the tour",
			Wish{Read: []string{"temperature"}, Call: []string{"valve"}, Arg: "0..30", Until: friday},
			"until Fri 2026-11-27 23:59 UTC: read temperature; call valve with argument 0..30",
			"2c 6b0a197f 0f0c0174656d7065726174757265 0e0876616c7665 1c0000001e",
		},
		{"tail reads too", Wish{Tail: []string{"temp*"}}, "read+observe temp*", "15 03 74656d70"},
		{"everything that can be read", Wish{Read: []string{"*"}}, "read *", "11 01"},
		{"append", Wish{Append: []string{"events"}}, "append events", "0f 07 04 6576656e7473"},
		{"entries", Wish{Read: []string{"t"}, Entries: "41.."}, "read t entries 41 and later", "0a 01 74 27 08 00000029 ffffffff"},
		{"one entry", Wish{Read: []string{"t"}, Entries: "7"}, "read t entries 7..7", "0a 01 74 27 08 00000007 00000007"},
		{"time", Wish{Time: true}, "time", "09 20"},
		{"time and manage", Wish{Time: true, Manage: true}, "manage+time", "09 30"},
		{"lease", Wish{Lease: &capability.Lease{Boot: 7, Tick: 600}}, "until 1m0s after boot 7", "3f 08 00000007 00000258"},
		{"hold", Wish{Hold: 2 * time.Second}, "within 2s of asking", "41 14"},
		{"from", Wish{From: time.Unix(1_700_000_000, 0)}, "from Tue 2023-11-14 22:13:20 UTC", "34 6553f100"},
	} {
		t.Run(c.id, func(t *testing.T) {
			s, err := c.wish.Spec()
			if err != nil {
				t.Fatal(err)
			}
			f := mustFrame(t, s)
			if want := capability.Frame(unhex(t, c.hex)); string(f) != string(want) {
				t.Errorf("frame = %x, want %x", f, want)
			}
			if got := f.Describe(); got != c.want {
				t.Errorf("Describe() = %q, want %q", got, c.want)
			}
		})
	}
}

func TestWishRefuses(t *testing.T) {
	for id, w := range map[string]Wish{
		"argument of nothing":   {Arg: "0..30"},
		"argument of a log":     {Read: []string{"t"}, Arg: "0..30"},
		"bad argument":          {Call: []string{"valve"}, Arg: "x"},
		"entries of nothing":    {Entries: "1..2"},
		"entries backwards":     {Read: []string{"t"}, Entries: "2..1"},
		"bad entries":           {Read: []string{"t"}, Entries: "1-2"},
		"no name":               {Read: []string{""}},
		"bad name":              {Call: []string{"Valve"}},
		"star inside":           {Call: []string{"v*e"}},
		"bad prefix":            {Read: []string{".t*"}},
		"hold of 0.05 s":        {Hold: 50 * time.Millisecond},
		"hold of 57 min":        {Hold: 57 * time.Minute},
		"expiry in 2200":        {Until: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)},
		"not before the epoch":  {From: time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)},
		"argument out of range": {Call: []string{"valve"}, Arg: "0..256"},
	} {
		if s, err := w.Spec(); err == nil {
			t.Errorf("%s: Spec = %+v", id, s)
		}
	}
}

func TestParseBound(t *testing.T) {
	for text, want := range map[string]capability.Bound{
		"0..30":             {Width: 1, Max: 30},
		"20":                {Width: 1, Min: 20, Max: 20},
		"u8:0..100":         {Width: 1, Max: 100},
		"i8:-128..127":      {Width: 1, Signed: true, Min: -128, Max: 127},
		"u16:0..300":        {Width: 2, Max: 300},
		"i16le:-5..5@2":     {Width: 2, Signed: true, LittleEndian: true, Offset: 2, Min: -5, Max: 5},
		"u32:0..4294967295": {Width: 4, Max: 4294967295},
		"i32le:-1":          {Width: 4, Signed: true, LittleEndian: true, Min: -1, Max: -1},
		"1..2@255":          {Width: 1, Min: 1, Max: 2, Offset: 255},
	} {
		if got, err := ParseBound(text); err != nil || got != want {
			t.Errorf("ParseBound(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "..", "1..", "..1", "30..0", "0..256", "-1..1", "u9:0..1", "u64:0..1", "le:0..1", "x:0..1", ":1..2",
		"0..1@", "0..1@256", "0..1@-1", "1..2..3", "0x1..2", "1 ..2", "99999999999999999999",
	} {
		if b, err := ParseBound(text); err == nil {
			t.Errorf("ParseBound(%q) = %+v", text, b)
		}
	}
}

func TestParseUntil(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 30, 15, 999, time.UTC) // a Sunday
	for text, want := range map[string]string{
		"5s":                        "2026-11-22T12:30:20Z",
		"90m":                       "2026-11-22T14:00:15Z",
		"2h":                        "2026-11-22T14:30:15Z",
		"3d":                        "2026-11-25T12:30:15Z",
		"1w":                        "2026-11-29T12:30:15Z",
		"today":                     "2026-11-22T23:59:59Z",
		"Tomorrow":                  "2026-11-23T23:59:59Z",
		"friday":                    "2026-11-27T23:59:59Z",
		"FRI":                       "2026-11-27T23:59:59Z",
		"sunday":                    "2026-11-22T23:59:59Z",
		"sat":                       "2026-11-28T23:59:59Z",
		"2026-11-27":                "2026-11-27T23:59:59Z",
		" 2026-11-27 18:00 ":        "2026-11-27T18:00:00Z",
		"2026-11-27T18:00":          "2026-11-27T18:00:00Z",
		"2026-11-27T18:00:01+01:00": "2026-11-27T17:00:01Z",
		"2026-11-27t18:00:01z":      "2026-11-27T18:00:01Z",
	} {
		got, err := ParseUntil(text, now)
		if err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("ParseUntil(%q) = %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "0s", "-1h", "h", "1y", "5", "fr", "frida", "someday", "2026-11-21", "2026-11-22 12:30", "2026-13-01", "2026-11-31",
		"27.11.2026", "99999999999w", "4000000000w",
	} {
		if got, err := ParseUntil(text, now); err == nil {
			t.Errorf("ParseUntil(%q) = %v", text, got)
		}
	}
	// The day is UTC's, whatever zone now is in.
	if got, err := ParseUntil("today", now.In(time.FixedZone("east", 14*3600))); err != nil || got.Day() != 22 {
		t.Errorf("today in the east = %v, %v", got, err)
	}
}

func FuzzWish(f *testing.F) {
	f.Add("0..30", "friday", "1..2")
	f.Add("i16le:-5..5@2", "2026-11-27T18:00", "41..")
	f.Fuzz(func(t *testing.T, arg, until, entries string) {
		at, err := ParseUntil(until, time.Unix(1_800_000_000, 0))
		if err != nil {
			at = time.Unix(1_800_000_000, 0)
		}
		s, err := Wish{Call: []string{"valve"}, Read: []string{"t"}, Arg: arg, Entries: entries, Until: at}.Spec()
		if err != nil {
			return
		}
		fr, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fr.Decode(); err != nil {
			t.Error(err)
		}
	})
}
