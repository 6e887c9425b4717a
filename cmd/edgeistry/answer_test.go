package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/config"
	"github.com/edgeistry/edgeistry/node/state"
)

// answers is a node's HTTP API that gives canned answers by path, so that every answer a node can give is shown and
// mapped to its exit code, also those that are hard to provoke.
type answers map[string]any

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	enc := json.NewEncoder(w)
	answer, ok := a[r.URL.Path]
	if !ok {
		answer = api.Errorf(api.Failed, "no canned answer for %s", r.URL.Path)
	}
	switch answer := answer.(type) {
	case *api.Error:
		w.WriteHeader(answer.Kind.Status())
		_ = enc.Encode(map[string]*api.Error{"error": answer})
	case []any:
		for _, line := range answer {
			_ = enc.Encode(line)
		}
	default:
		_ = enc.Encode(answer)
	}
}

// runAgainst runs a command line on a fresh home whose node gives these answers.
func runAgainst(t *testing.T, a answers, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir() + "/home"
	h, err := state.Init(dir, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := a["/healthz"]; !ok {
		a["/healthz"] = map[string]bool{"ok": true}
	}
	server := fakeNode(a)
	defer server.Close()
	if err := h.API.Save(state.Endpoint{Address: strings.TrimPrefix(server.URL, "http://"), Token: "t"}); err != nil {
		t.Fatal(err)
	}
	c, out, errs := testCLI(nil)
	c.stdin = strings.NewReader(stdin)
	code = c.run(context.Background(), append(args, "--home", dir))
	return code, strings.ReplaceAll(out.String(), dir, "HOME"), strings.ReplaceAll(errs.String(), dir, "HOME")
}

// fakeNode serves as a node whose token is "t".
func fakeNode(h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(nil)
	s.Config.Handler = api.Proving("t", s.Listener.Addr().String(), h)
	s.Start()
	return s
}

// setupCode is that of a device that does not exist.
var setupCode = capability.SetupCode{ID: [4]byte{1, 2, 3, 4}, Seed: [16]byte{5}}.Text()

var greenhouse = api.Resolution{
	Service: "k51", Name: "greenhouse", Sequence: 7, From: "dht", TookMS: 3.2,
	Expiry: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
	Homes:  []api.Home{{Peer: "12D3KooWHome", Conn: "relayed through 12D3KooWRelay", RTTMS: 41}},
	Manifest: edgeistry.Manifest{
		Board: "ATmega328P", Firmware: "greenhouse/1.0",
		Logs:      []edgeistry.LogInfo{{Name: "temperature", Period: 10, Size: 2}, {Name: "events"}},
		Functions: []edgeistry.FunctionInfo{{Name: "valve", Argument: "u8:0..100"}, {Name: "reset"}},
	},
}

func TestAnswersAreShownAndMappedToExitCodes(t *testing.T) {
	ok := api.CallResult{
		Code: "2.04", Tagged: true, By: "device", Message: "ok", TotalUS: 58_000, Session: "opened", Sequence: 1,
		Legs: []api.Leg{{Name: "mesh", US: 58_000}, {Name: "home", US: 17_000, At: 20_000}, {Name: "queue", At: 20_000}, {Name: "link", US: 9_000, At: 21_000}, {Name: "device", US: 8_000, At: 30_000}},
	}
	denied := api.CallResult{Code: "4.03", Tagged: true, By: "device", Reason: 11, Frame: 1, Constraint: "BOUND", Message: "denied by the device: frame 1 allows argument 0..30, not 90", TotalUS: 1}
	resolve := "/v1/services/greenhouse/resolve"
	for _, test := range []struct {
		name    string
		answers answers
		args    string
		code    int
		stdout  string
		stderr  string
	}{
		{
			"a call",
			answers{resolve: greenhouse, "/v1/call": ok},
			"call greenhouse/valve 20", exitDone,
			"ok  from the device in 58 ms (mesh 41, queue 0, link 9, device 8)\n", "",
		},
		{
			"a call with a result",
			answers{resolve: greenhouse, "/v1/call": api.CallResult{Code: "2.04", By: "node", TotalUS: 900, Payload: []byte{0, 7}}},
			"call greenhouse/valve 20", exitDone, "ok  from the node in 0.9 ms\nresult   0007   7\n", "",
		},
		{
			"an answer without a proof",
			answers{"/v1/call": api.CallResult{Code: "2.04", By: "unverified, via 12D3KooWHome", TotalUS: 2000}},
			"call greenhouse/valve --hex 14", exitDone, "ok  unverified, via 12D3KooWHome in 2 ms\n", "",
		},
		{
			"a denial by the device",
			answers{resolve: greenhouse, "/v1/call": denied},
			"call greenhouse/valve 90", exitDenied,
			"", "denied by the device: frame 1 allows argument 0..30, not 90\n",
		},
		{
			"an unverified refusal",
			answers{"/v1/call": api.CallResult{Code: "4.01", By: "unverified, via 12D3KooWHome", Reason: 6, Message: "refused, unverified, via 12D3KooWHome: tag does not verify"}},
			"call greenhouse/valve --hex 14", exitDenied, "", "refused, unverified, via 12D3KooWHome: tag does not verify\n",
		},
		{
			"a full queue",
			answers{"/v1/call": api.CallResult{Code: "5.03", By: "unverified, via 12D3KooWHome", Message: "busy; try again in 2 s", RetryAfter: 2}},
			"call greenhouse/valve --hex 14", exitFailed, "", "busy; try again in 2 s\n",
		},
		{
			"a service that nobody knows",
			answers{resolve: &api.Error{Kind: api.NotFound, Message: "no record of greenhouse", Tried: []string{"the mesh: 3 nodes, 200 ms"}, Action: "edgeistry service ls"}},
			"call greenhouse/valve 20", exitNotFound, "", "no record of greenhouse\ntried: the mesh: 3 nodes, 200 ms\nto do: edgeistry service ls\n",
		},
		{
			"a device that is too slow",
			answers{"/v1/call": &api.Error{Kind: api.Timeout, Message: "no answer from the device in 5 s (queue 0 ms, link 5 s)"}},
			"call greenhouse/valve --hex 14", exitTimeout, "", "no answer from the device in 5 s (queue 0 ms, link 5 s)\n",
		},
		{
			"a function that is not there",
			answers{resolve: greenhouse},
			"call greenhouse/door 20", exitNotFound,
			"", "greenhouse has no function \"door\"; it has: valve, reset\n",
		},
		{
			"a function without a number",
			answers{resolve: greenhouse},
			"call greenhouse/reset 20", exitUsage,
			"", "greenhouse/reset takes no number: its manifest names no argument\nto do: --as u8, --hex, --text or --file\n",
		},
		{
			"a number that does not fit",
			answers{resolve: greenhouse},
			"call greenhouse/valve 256", exitUsage,
			"", "greenhouse/valve: argument 256 does not fit into 1 byte (0..255)\nto do: edgeistry call --help\n",
		},
		{
			"a resolution",
			answers{resolve: greenhouse},
			"service resolve greenhouse", exitDone,
			"service   k51 (greenhouse)\nhome      12D3KooWHome (relayed through 12D3KooWRelay, 41 ms)\nrecord    sequence 7, valid 23 h (from the mesh, 3.2 ms)\n", "",
		},
		{
			"a service",
			answers{"/v1/services/greenhouse/show": api.ServiceDetail{
				Resolution: greenhouse, Reachable: true, RTTMS: 12, AwakeAlways: true, DeviceLine: "ATmega328P; opening a session about 46 ms, a request then 7 ms",
				Logs: []api.LogDetail{{LogInfo: greenhouse.Manifest.Logs[0], Head: &api.Head{Sequence: 41}}, {LogInfo: greenhouse.Manifest.Logs[1], Error: "no permission to read"}},
			}},
			"service show greenhouse", exitDone,
			`service     k51   greenhouse
logs        temperature (every 10 s, 2 bytes, head 41)   events (head unknown: no permission to read)
functions   valve (1 byte: 0..100)   reset
homes       12D3KooWHome (relayed through 12D3KooWRelay, 41 ms)   awake always   reachable yes, 12 ms
device      ATmega328P; opening a session about 46 ms, a request then 7 ms
`, "",
		},
		{
			"a claim",
			answers{"/v1/devices/claim": []any{
				api.ClaimStep{Step: 1, Of: 5, Text: "link ok"},
				api.ClaimStep{Step: 2, Of: 5, Text: "device answers (ATmega328P, greenhouse 1.0)"},
				map[string]any{"result": api.ClaimResult{Service: "k51", Name: "greenhouse", Capability: "greenhouse/owner"}},
			}},
			"device claim " + setupCode + " --link serial:/dev/ttyUSB0 --name greenhouse", exitDone,
			"claimed greenhouse = k51\nowner capability kept in the keychain as greenhouse/owner\n",
			"[1/5] link ok   [2/5] device answers (ATmega328P, greenhouse 1.0)\n",
		},
		{
			"a claim that stops half way",
			answers{"/v1/devices/claim": []any{
				api.ClaimStep{Step: 1, Of: 5, Text: "link ok"}, map[string]any{"error": api.Error{Kind: api.Denied, Message: "step 2 of 5: the device is claimed already"}},
			}},
			"device claim " + setupCode + " --link serial:/dev/ttyUSB0", exitDenied,
			"", "[1/5] link ok\nstep 2 of 5: the device is claimed already\n",
		},
		{
			"entries with gaps",
			answers{"/v1/logs/read": api.ReadResult{By: "mirror", Head: api.Head{Incarnation: 2, Sequence: 9}, Entries: []api.Entry{
				{Incarnation: 1, Sequence: 3, Gap: true, Payload: []byte{0, 215}, Stored: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)},
				{Incarnation: 1, Sequence: 4, Payload: []byte("closed")},
				{Incarnation: 1, Sequence: 7, Gap: true, Payload: []byte{1, 2, 3}},
				{Incarnation: 1, Sequence: 9, Payload: []byte{0xff}},
				{Incarnation: 2, Sequence: 1, Payload: []byte{5}},
			}}},
			"log read greenhouse/temperature", exitDone,
			`        -- gap: entries before this one are lost --
1.3     2026-11-22 10:00:00   00d7   215
1.4     -                     "closed"
        -- gap: entries 5..6 are lost --
1.7     -                     010203
        -- gap: entry 8 is lost --
1.9     -                     ff   255 or -1
        -- the device started again: incarnation 2 --
2.1     -                     05   5
`, "head 2.9, from the mirror at its home node\n",
		},
		{
			"a tail that has enough",
			answers{"/v1/logs/tail": []any{api.Entry{Incarnation: 1, Sequence: 1, Payload: []byte{1}}, api.Entry{Incarnation: 1, Sequence: 2, Payload: []byte{2}}}},
			"log tail readings --count 1", exitDone, "1.1     -                     01   1\n", "",
		},
		{
			"a tail whose node stops",
			answers{"/v1/logs/tail": []any{api.Entry{Incarnation: 1, Sequence: 1, Payload: []byte{1}}}},
			"log tail readings", exitFailed, "1.1     -                     01   1\n", "the node stopped\nto do: edgeistry run --home HOME\n",
		},
		{
			"a receipt", answers{"/v1/logs/append": api.Receipt{Incarnation: 1, Sequence: 42}}, "log append readings 21", exitDone, "appended readings entry 1.42\n", "",
		},
		{
			"a conflict",
			answers{"/v1/logs/append": &api.Error{Kind: api.Failed, Message: "the log's newest entry is 42, not 40"}},
			"log append readings 21 --expect 40", exitFailed, "", "the log's newest entry is 42, not 40\n",
		},
		{
			"a ping",
			answers{"/v1/ping": api.PingResult{Peer: "12D3KooWHome", Conn: "relayed through 12D3KooWRelay", RTTMS: 41, All: []float64{41, 42.5}}},
			"ping greenhouse --count 2", exitDone, "12D3KooWHome   relayed through 12D3KooWRelay, 41 ms   (41, 42)\n", "",
		},
		{"no functions", answers{"/v1/functions": map[string]any{"functions": nil}}, "fn ls --json", exitDone, "[]\n", ""},
		{"no devices", answers{"/v1/devices": map[string]any{"devices": nil}}, "device ls --json", exitDone, "[]\n", ""},
		{
			"functions",
			answers{"/v1/functions": map[string]any{"functions": []api.Function{{Name: "smooth", On: "greenhouse/temperature", To: "smoothed", State: "running", Runs: 12, Outputs: 11, Cursor: api.Head{Incarnation: 1, Sequence: 12}}}}},
			"fn ls", exitDone, "NAME     ON                       TO         STATE     RUNS   RESULTS   DONE UP TO\nsmooth   greenhouse/temperature   smoothed   running   12     11        1.12\n", "",
		},
		{
			"a node that lost its files",
			answers{"/v1/status": &api.Error{Kind: api.Failed, Message: "read the log", Action: "see the node's log"}},
			"status", exitFailed,
			"", "read the log\nto do: see the node's log\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := runAgainst(t, test.answers, "", strings.Fields(test.args)...)
			if code != test.code || stdout != test.stdout || stderr != test.stderr {
				t.Errorf("%s exits %d, want %d\nstdout %q\n  want %q\nstderr %q\n  want %q", test.args, code, test.code, stdout, test.stdout, stderr, test.stderr)
			}
		})
	}
}

func TestTraceDrawsEveryLeg(t *testing.T) {
	code, stdout, stderr := runAgainst(t, answers{"/v1/call": api.CallResult{
		Code: "4.03", Tagged: true, By: "device", Message: "denied", TotalUS: 20_000, Session: "reused", Sequence: 3,
		Legs: []api.Leg{{Name: "mesh", US: 20_000}, {Name: "device", US: 8_000, At: 6_000}},
	}}, "", "call", "greenhouse/valve", "--hex", "14", "--trace")
	if code != exitDenied || stderr != "denied\n" {
		t.Errorf("exits %d and complains %q", code, stderr)
	}
	for _, want := range []string{"mesh    ██", "device  ", "8 ms", "session reused, request 3 of it, answer 4.03"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the trace has no %q:\n%s", want, stdout)
		}
	}
}

func TestErrorsAreJSONWhereTheResultIs(t *testing.T) {
	_, _, stderr := runAgainst(t, answers{"/v1/status": &api.Error{Kind: api.NotFound, Message: "gone", Tried: []string{"a"}, Action: "b"}}, "", "status", "--json")
	var got struct{ Error complaint }
	if err := json.Unmarshal([]byte(stderr), &got); err != nil {
		t.Fatalf("%v in %q", err, stderr)
	}
	want := complaint{Code: "not_found", Exit: 3, Message: "gone", Tried: []string{"a"}, Action: "b"}
	if got.Error.Code != want.Code || got.Error.Exit != want.Exit || got.Error.Message != want.Message || got.Error.Action != want.Action || len(got.Error.Tried) != 1 {
		t.Errorf("error = %+v, want %+v", got.Error, want)
	}
}

func TestAKilledNodeIsToldFromAMissingThing(t *testing.T) {
	dir := t.TempDir() + "/home"
	h, err := state.Init(dir, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.NotFoundHandler())
	address := strings.TrimPrefix(server.URL, "http://")
	server.Close() // the port is free again, the file api still names it
	if err := h.API.Save(state.Endpoint{Address: address, Token: "t"}); err != nil {
		t.Fatal(err)
	}
	c, _, errs := testCLI(nil)
	if code := c.run(context.Background(), []string{"status", "--home", dir}); code != exitNotFound || !strings.Contains(errs.String(), "no node is running for home "+dir) {
		t.Errorf("status exits %d and prints %q", code, errs)
	}
}

func TestATimeoutSaysWhatWasWaitedFor(t *testing.T) {
	dir := t.TempDir() + "/home"
	h, err := state.Init(dir, config.Default())
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	server := fakeNode(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer server.Close()
	defer close(release)
	if err := h.API.Save(state.Endpoint{Address: strings.TrimPrefix(server.URL, "http://"), Token: "t"}); err != nil {
		t.Fatal(err)
	}
	c, _, errs := testCLI(nil)
	if code := c.run(context.Background(), []string{"ping", "greenhouse", "--timeout", "20ms", "--home", dir}); code != exitTimeout || !strings.Contains(errs.String(), "timed out after 20ms: waiting for greenhouse") {
		t.Errorf("ping exits %d and prints %q", code, errs)
	}
}
