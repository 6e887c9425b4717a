package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/node/api"
)

// TestPayloadsAreDecodedWithJSON reads payloads of every kind that a manifest names.
func TestPayloadsAreDecodedWithJSON(t *testing.T) {
	entries := []api.Entry{{Sequence: 1, Payload: []byte{0, 0xd7}}, {Sequence: 2, Payload: []byte("open")}, {Sequence: 3, Payload: []byte{1, 2, 3}}}
	a := func() answers {
		return answers{
			"/v1/services/k51/resolve": greenhouse, "/v1/services/greenhouse/resolve": greenhouse,
			"/v1/logs/read": api.ReadResult{Log: "temperature", Entries: entries, By: "device"},
			"/v1/logs/tail": []any{entries[0], entries[1]},
			"/v1/call":      api.CallResult{Code: "2.04", Tagged: true, By: "device", Message: "ok", Payload: []byte{20}},
		}
	}
	id := "k51qzi5uqu5dkpp5p94ar3zdkjgi6nbu3zz520vdnjtbpef1rew1chg59ekgd2"
	with := a()
	with["/v1/services/"+id+"/resolve"] = greenhouse
	code, out, errs := runAgainst(t, with, "", "log", "read", id+"/temperature", "--json")
	var read struct {
		Entries []struct {
			Payload []byte `json:"payload"`
			Number  *int64 `json:"number"`
			Text    string `json:"text"`
		} `json:"entries"`
	}
	if err := json.Unmarshal([]byte(out), &read); code != exitDone || err != nil || len(read.Entries) != 3 {
		t.Fatalf("read: exit %d, %v, %s%s", code, err, out, errs)
	}
	if e := read.Entries[0]; e.Number == nil || *e.Number != 215 || string(e.Payload) != "\x00\xd7" {
		t.Errorf("2 bytes are %+v, want the number 215 beside them", e)
	}
	if e := read.Entries[1]; e.Number != nil || e.Text != "open" {
		t.Errorf("a text is %+v", e)
	}
	if e := read.Entries[2]; e.Number != nil || e.Text != "" {
		t.Errorf("other bytes are %+v, want nothing beside them", e)
	}
	if _, out, _ = runAgainst(t, with, "", "log", "tail", id+"/temperature", "--count", "2", "--json"); !strings.Contains(out, `"number":215`) || !strings.Contains(out, `"text":"open"`) {
		t.Errorf("tail prints %s", out)
	}
	if _, out, _ = runAgainst(t, with, "", "call", id+"/valve", "20", "--json"); !strings.Contains(out, `"number": 20`) || !strings.Contains(out, `"payload": "FA=="`) {
		t.Errorf("call prints %s", out)
	}
	if _, out, _ = runAgainst(t, with, "", "call", id+"/reset", "--json"); strings.Contains(out, `"number"`) {
		t.Errorf("a call of a function whose argument is of no kind prints %s", out)
	}
}
