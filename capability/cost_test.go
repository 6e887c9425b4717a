package capability

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
)

// counted reads the table of what was counted exactly; make counts fails where it is not what the simulator says.
func counted(t *testing.T) map[string]int {
	t.Helper()
	f, err := os.Open("../bench/capability/counts.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) != 2 {
			continue
		}
		if n, err := strconv.Atoi(fields[1]); err == nil {
			table[fields[0]] = n
		}
	}
	return table
}

// TestCostOfChip holds the model against the chip: the same call of the valve under every kind of proof, as firmware/sim/life.c makes it.
func TestCostOfChip(t *testing.T) {
	made := func(frames ...FrameSpec) *Capability {
		c := &Capability{}
		for i := range frames {
			f, err := frames[i].Encode()
			if err != nil {
				t.Fatal(err)
			}
			c.Frames = append(c.Frames, f)
		}
		return c
	}
	empty, valve := FrameSpec{}, Grant{Operations: Call, Name: "valve"}
	salted := Limit{Type: TypeSalt, Salt: [4]byte{1, 2, 3, 4}}
	large := FrameSpec{
		Limits: []Limit{{Type: TypeHold, Hold: 255}},
		Grants: []Grant{
			{Operations: Read, Name: "temperature"},
			{Operations: Call, Name: "valve", Parts: []Limit{{Type: TypeBound, Bound: Bound{Width: 1, Max: 100}}}},
		},
	}
	lock := ThirdParty{Guard: [4]byte{'g', 'u', 'a', 'r'}, GuardNonce: [4]byte{1, 2, 3, 4}, FrameNonce: [4]byte{5, 6, 7, 8}}
	until, err := (&FrameSpec{Limits: []Limit{{Type: TypeExpiry, Unix: 0xf0000000}}}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	table := counted(t)
	for _, tt := range []struct {
		open, request string
		c             *Capability
		discharge     *Discharge
		private       bool
	}{
		{"call_open1", "", made(empty), nil, false},
		{"call_open2", "call_kept", made(empty, FrameSpec{Limits: []Limit{salted}, Grants: []Grant{valve}}), nil, false},
		{"call_open_private", "call_private", made(empty, FrameSpec{Limits: []Limit{salted}, Grants: []Grant{valve}}), nil, true},
		{"call_open4", "call_sent", made(large, large, large, large), nil, false},
		{"call_open_counted", "call_counted", made(FrameSpec{Limits: []Limit{{Type: TypeCount, Count: Count{9, 1}}}}), nil, false},
		{
			"call_open_discharge", "call_discharge",
			made(empty, FrameSpec{Limits: []Limit{{Type: TypeThirdParty, ThirdParty: lock}}}),
			&Discharge{Guard: lock.Guard, GuardNonce: lock.GuardNonce, Frame: until}, false,
		},
	} {
		var discharges []*Discharge
		if tt.discharge != nil {
			discharges = append(discharges, tt.discharge)
		}
		k := tt.c.CostWith(nil, discharges)
		if tt.private {
			k.OpenCycles += k.PrivateCycles
			k.RequestCycles += k.PrivateCycles
		}
		for name, got := range map[string]int{tt.open: k.OpenCycles, tt.request: k.RequestCycles} {
			if name == "" {
				continue
			}
			want, ok := table["avr."+name+".cycles"]
			if off := got - want; !ok || off*20 > want || off*20 < -want {
				t.Errorf("%s: Cost says %d cycles, the chip counts %d", name, got, want)
			}
		}
	}
}
