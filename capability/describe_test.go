package capability

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

func TestDescribe(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "everything",
		"4c01020304":                    "everything",
		"1c00000a14":                    "with argument 10..20",
		"1e020d fffb 0005":              "with argument i16le:-5..5 at byte 2",
		"88":                            "constraint 17 (not known here: denies)",
		"00":                            "nothing (invalid at byte 0: constraint is malformed)",
		"4c01020304 4f":                 "nothing (salt at byte 5: constraint is malformed)",
		"0e0876616c7665 2c00000000":     "nothing (expiry at byte 7: stands after a grant: constraint is malformed)",
		"0900":                          "nothing",
		"41 64 2c 6553f100":             "within 10s of asking, until Tue 2023-11-14 22:13:20 UTC",
		"27 08 00000001 0000000a 11 01": "entries 1..10: read *",
	} {
		if got := Frame(unhex(t, text)).Describe(); got != want {
			t.Errorf("Describe(%s) = %q, want %q", text, got, want)
		}
	}
	c := testChain(t, 3)
	if got := c.Describe(); len(got) != 3 || got[1] != "call valve with argument 0..30; read temperature" {
		t.Errorf("Describe() = %q", got)
	}
}

func TestExplain(t *testing.T) {
	c := testChain(t, 4)
	for _, e := range []struct {
		d    Denial
		req  *coap.Message
		want string
	}{
		{denied(2, TypeBound), callMessage("valve", 90), "frame 2 allows argument 0..30, not 90"},
		{denied(2, TypeBound), callMessage("valve"), "frame 2 allows argument 0..30, not a payload of 0 bytes"},
		{denied(2, TypeGrant), callMessage("pump", 1), "frame 2 allows only: call valve with argument 0..30; read temperature"},
		{denied(3, TypeExpiry), callMessage("valve", 1), "frame 3 allows nothing but until Fri 2027-01-15 08:00 UTC"},
		{denied(4, TypeHold), callMessage("valve", 1), "frame 4 allows nothing but within 5s of asking"},
		{noClock(3, TypeExpiry), callMessage("valve", 1), `frame 3 says "until Fri 2027-01-15 08:00 UTC", and the verifier does not know the time yet`},
		{denied(0, 0), callMessage("valve", 1), "branch 3 may not do this, whatever its frames say"},
		{denied(9, 0), callMessage("valve", 1), "denied"},
		{Denial{Reason: ReasonStale}, callMessage("valve", 1), "stale: older than its hold"},
	} {
		v := Verdict{Tagged: true, Reason: e.d.Reason, Frame: e.d.Frame, Constraint: e.d.Constraint}
		if got := c.Explain(v, e.req); got != e.want {
			t.Errorf("Explain(%+v) = %q, want %q", e.d, got, e.want)
		}
	}
}

func TestCost(t *testing.T) {
	owner := Owner(testService(), testKey(), 1).Cost()
	// 48 + 13 bytes of OPEN, 17 of SESSION, 4 of option header, 4 of token.
	want := Cost{
		OpenBytes: 69, RequestBytes: 25, PrivateBytes: 6, OpenHMACs: 6, RequestHMACs: 2, PrivateHMACs: 2,
		OpenCompressions: 21, RequestCompressions: 4, PrivateCompressions: 4,
	}
	owner.OpenCycles, owner.RequestCycles, owner.PrivateCycles = 0, 0, 0
	if owner != want {
		t.Errorf("Cost() = %+v, want %+v", owner, want)
	}
	kept := testChain(t, 2)
	long, err := testChain(t, 3).Attenuate(rand.Reader, FrameSpec{Grants: []Grant{{Operations: Call, Name: "valve"}}})
	if err != nil {
		t.Fatal(err)
	}
	if k := kept.Cost(); k.RequestBytes != 25 || k.OpenTime() > 60*time.Millisecond || k.RequestTime() > 17*time.Millisecond {
		t.Errorf("2 frames: %+v, open %v, request %v", k, k.OpenTime(), k.RequestTime())
	}
	if k := long.Cost(); k.RequestBytes != 25+1+len(long.Carried()) || k.RequestHMACs != 3 {
		t.Errorf("frames that no slot keeps: %+v", k)
	}
	// What is said of bytes is what Protect makes.
	m := newMeeting(t, func(cfg *GuardConfig) { cfg.Generations[3] = 2 })
	for _, c := range []*Capability{kept, long} {
		s := m.session(c)
		for _, want := range []int{c.Cost().OpenBytes, c.Cost().RequestBytes} {
			req := callMessage("valve", 1)
			before := len(coapBytes(req, 0, 1, nil))
			m.ask(s, req)
			if got := len(coapBytes(req, 0, 1, make([]byte, tokenBytes))) - before; got != want {
				t.Errorf("%d frames: %d bytes added, Cost says %d", len(c.Frames), got, want)
			}
		}
	}
}
