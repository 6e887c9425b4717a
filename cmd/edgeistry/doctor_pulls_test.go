package main

import (
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/node/api"
)

// TestDoctorPulls: a function whose log is copied under a capability that has ended turns doctor red, with the error and its time.
func TestDoctorPulls(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	x := &examination{c: &cli{now: func() time.Time { return now }}}
	x.pulls([]api.Function{
		{Name: "alarm", On: "greenhouse/temperature", PullState: "refused", PullProblem: "on the deny list of the home node", PullFailed: now.Add(-90 * time.Second)},
		{Name: "mean", On: "pump/flow", PullState: "retrying", PullProblem: "no answer", PullFailed: now.Add(-time.Second)},
		{Name: "archive", On: "barn/events", PullState: "following"},
	})
	var got []string
	for _, f := range x.findings {
		got = append(got, f.State+" "+f.Text)
	}
	want := []string{
		"fail alarm gets no entries: the copy of greenhouse/temperature was refused 90 s ago: on the deny list of the home node",
		"warn mean gets no new entries: the copy of pump/flow failed 1 s ago: no answer",
		"ok 1 of 3 get their entries",
	}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("doctor found %q, want %q", got, want)
		}
	}
	if state, _ := x.worst(); state != broken {
		t.Errorf("doctor is %s, want %s", state, broken)
	}
}

// TestDoctorDeviceClocks: a device that is off by a day or more is broken, and the command that mends it is named.
func TestDoctorDeviceClocks(t *testing.T) {
	x := &examination{c: &cli{}}
	x.deviceClocks([]api.Device{{Name: "good"}, {Name: "greenhouse", ClockAheadS: 30 * 86_400}, {Name: "pump", ClockBehindS: 3600}, {Name: "barn", ClockRefused: true}})
	if len(x.findings) != 3 || x.findings[2].State != broken || x.findings[0].State != broken || x.findings[1].State != warning {
		t.Fatalf("doctor found %+v", x.findings)
	}
	if want := "edgeistry device clock greenhouse --set now"; !strings.Contains(x.findings[0].Do, want) {
		t.Errorf("to do: %q, want %q", x.findings[0].Do, want)
	}
}
