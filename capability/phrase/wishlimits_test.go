package phrase

import (
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/capability"
)

func TestWishLimits(t *testing.T) {
	depth := uint8(1)
	guard := guarded(t)
	program := []byte{0, 0x41, 1, 0x0b} // i32.const 1
	for _, c := range []struct {
		wish Wish
		want string
	}{
		{Wish{Count: 5}, "at most 5 times"},
		{Wish{Count: 1, Cell: 3}, "once"},
		{Wish{Rate: "3/10m"}, "at most 3 at once, then one every 10m"},
		{Wish{Rate: "1/90s"}, "at most one every 90s"},
		{Wish{Depth: &depth}, "passed on at most 1 more time"},
		{Wish{Audience: testPeer().String()}, "from peer " + testPeer().String() + " only"},
		{Wish{Also: "4"}, "together with a capability of branch 4"},
		{Wish{Also: "4:c0ffee01"}, "together with capability c0ffee01 of branch 4"},
		{Wish{Guard: &guard}, "with the word of the guard fe812c12"},
		{Wish{Program: program}, "if the program (4 bytes) says so"},
		{Wish{Hold: 30 * time.Minute}, "within 30m0s of asking"},
		{Wish{Call: []string{"valve"}, Rate: "2/1h", Count: 9}, "at most 9 times, at most 2 at once, then one every 1h: call valve"},
	} {
		s, err := c.wish.Spec()
		if err != nil {
			t.Errorf("%+v: %v", c.wish, err)
			continue
		}
		if got := mustFrame(t, s).Describe(); got != c.want {
			t.Errorf("%+v is %q, want %q", c.wish, got, c.want)
		}
	}
	other := capability.Limit{Type: capability.TypeHold}
	for id, bad := range map[string]Wish{
		"count 256":         {Count: 256},
		"count -1":          {Count: -1},
		"cell 4":            {Count: 1, Cell: 4},
		"rate without /":    {Rate: "3"},
		"rate of 0":         {Rate: "0/10m"},
		"rate of 256":       {Rate: "256/10m"},
		"rate over 18 h":    {Rate: "3/1d"},
		"rate in 0 s":       {Rate: "3/0s"},
		"branch 16":         {Also: "16"},
		"nonce of 3 bytes":  {Also: "4:c0ffee"},
		"nonce of 5 bytes":  {Also: "4:c0ffee0102"},
		"nonce that is not": {Also: "4:"},
		"peer":              {Audience: "12D3KooW"},
		"guard":             {Guard: &other},
		"program":           {Program: []byte{1, 2, 3}},
	} {
		if s, err := bad.Spec(); err == nil {
			t.Errorf("%s: %+v, want an error", id, s)
		}
	}
}
