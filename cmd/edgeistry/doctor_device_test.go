package main

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/node/api"
)

// TestDoctorCauses: a device that answers and refuses its home gets the one remedy that its cause has, and nobody is sent to its power.
func TestDoctorCauses(t *testing.T) {
	no := false
	for _, c := range []struct{ cause, state, text, do string }{
		{"other epoch", broken, "is in a later epoch than this node's key of it", "restore the newest backup of this node's state"},
		{"other generation", broken, "knows of a revocation that this node's state has not", "restore the newest backup of this node's state"},
		{"not claimed", broken, "was reset to its factory state", "edgeistry device claim SETUP-CODE --link udp:192.0.2.7:5683 --name greenhouse"},
		{"", warning, "greenhouse does not answer: no answer in time", "check its power and its link udp:192.0.2.7:5683"},
	} {
		x := &examination{c: &cli{}}
		x.services(&api.Status{Services: []api.Service{
			{Name: "greenhouse", Link: "udp:192.0.2.7:5683", Reachable: &no, Problem: "no answer in time", Cause: c.cause},
		}})
		if len(x.findings) != 1 {
			t.Fatalf("%q: doctor found %+v", c.cause, x.findings)
		}
		f := x.findings[0]
		if f.State != c.state || !strings.Contains(f.Text, c.text) || !strings.Contains(f.Do, c.do) {
			t.Errorf("%q: doctor found %+v", c.cause, f)
		}
		if c.cause != "" && strings.Contains(f.Text+f.Do, "power") {
			t.Errorf("%q: doctor sends people to the power: %+v", c.cause, f)
		}
	}
}

// TestDoctorForked: a function whose copy has another history than the home turns doctor red, and the way out is named.
func TestDoctorForked(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	x := &examination{c: &cli{now: func() time.Time { return now }}}
	x.pulls([]api.Function{{
		Name: "alarm", On: "greenhouse/temperature", PullState: "forked", PullProblem: "entry 7 differs", PullFailed: now.Add(-2 * time.Minute),
	}})
	if len(x.findings) != 1 {
		t.Fatalf("doctor found %+v", x.findings)
	}
	f := x.findings[0]
	want := "alarm gets no entries: the home of greenhouse/temperature has another history than the copy here 2 min ago: entry 7 differs"
	if f.State != broken || f.Text != want || !strings.HasSuffix(f.Do, "edgeistry log accept-fork greenhouse/temperature") {
		t.Errorf("doctor found %+v, want %q", f, want)
	}
	if state, _ := x.worst(); state != broken {
		t.Errorf("doctor is %s, want %s", state, broken)
	}
}
