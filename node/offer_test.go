package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/node/api"
)

// TestClockBeforeRequests: a device that has started anew is told the time before anybody's request gets to it. The request is made
// once, so no patience of a caller hides a denial.
func TestClockBeforeRequests(t *testing.T) {
	f := newFarm(t)
	until, err := f.key().Owner().Attenuate(rand.Reader, capability.FrameSpec{Limits: []capability.Limit{{
		Type: capability.TypeExpiry, Unix: uint32(time.Now().Add(time.Hour).Unix()),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		f.device.Reboot()
		hello, err := until.NewHello(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		m := hello.Message()
		m.Set(coap.OptionURIHost, []byte(f.id.String()))
		cookie, err := f.node.via().Do(t.Context(), m)
		if err != nil || !cookie.Success() {
			t.Fatal(cookie, err)
		}
		session, err := hello.Open(cookie.Payload, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if m, err = coap.NewRequest(coap.CodeGET, "/l/temperature", nil, nil); err != nil {
			t.Fatal(err)
		}
		pending, err := session.Protect(m, time.Second, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		m.Set(coap.OptionURIHost, []byte(f.id.String()))
		resp, err := f.node.via().Do(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := session.Verify(pending, resp, time.Now()); err != nil || resp.Code != coap.CodeContent {
			t.Fatalf("the first request after a start: %s %+v, %v", coap.CodeText(resp.Code), v, err)
		}
	}
}

// TestNewFirmware: what a device offers is read again when it has started anew. New logs are copied, copies of old ones stay.
func TestNewFirmware(t *testing.T) {
	f := newFarm(t)
	offers := func(logs ...string) func() error {
		return func() error {
			show, err := f.client.Show(t.Context(), "greenhouse")
			if err != nil {
				return err
			}
			resolved, err := f.client.Resolve(t.Context(), "greenhouse")
			if err != nil {
				return err
			}
			devices, err := f.client.Devices(t.Context())
			if err != nil {
				return err
			}
			for what, m := range map[string]edgeistry.Manifest{"show": show.Manifest, "resolve": resolved.Manifest} {
				var names []string
				for _, l := range m.Logs {
					names = append(names, l.Name)
				}
				if m.Firmware != f.device.Manifest.Firmware || !slices.Equal(names, logs) {
					return fmt.Errorf("%s: %s with the logs %v", what, m.Firmware, names)
				}
			}
			if got := devices[0]; got.Firmware != f.device.Manifest.Firmware || len(got.Logs) != len(logs) {
				return fmt.Errorf("devices: %+v", got)
			}
			for _, l := range devices[0].Logs {
				if l.Head.Sequence == 0 {
					return errors.New("no copy of " + l.Name)
				}
			}
			return nil
		}
	}
	eventually(t, "firmware of the claim", offers("temperature"))

	m := f.device.Manifest
	m.Firmware = "greenhouse/2.0"
	m.Logs = append(slices.Clone(m.Logs), edgeistry.LogInfo{Name: "humidity"})
	f.device.Flash(m)
	eventually(t, "one log more", offers("temperature", "humidity"))

	m.Firmware = "greenhouse/3.0"
	m.Logs = []edgeistry.LogInfo{{Name: "humidity"}}
	f.device.Flash(m)
	eventually(t, "one log less", offers("humidity"))
	kept, err := f.client.Read(t.Context(), api.ReadRequest{Service: "greenhouse", Log: "temperature", Last: 1, Mirror: true})
	if err != nil || len(kept.Entries) != 1 {
		t.Errorf("the copy of a log that is gone: %+v, %v", kept, err)
	}
	f.restart()
	eventually(t, "after the node's restart", offers("humidity"))
}
