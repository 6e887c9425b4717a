package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/internal/yamlfile"
)

func TestRoundTrip(t *testing.T) {
	for _, edit := range []func(*Config){
		func(*Config) {},
		func(c *Config) {
			c.Listen = nil
			c.EnableMDNS = false
			c.Seeds = []string{seed}
		},
		func(c *Config) { c.CoAPListen = ""; c.Relays = []string{seed, seed2}; c.LogLevel = "debug" },
	} {
		c := Default()
		edit(&c)
		got, err := Parse(c.Format())
		if err != nil {
			t.Errorf("Parse(Format()) of %+v: %v", c, err)
			continue
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", c) {
			t.Errorf("Parse(Format()) = %+v, want %+v", got, c)
		}
	}
}

const (
	seed  = "/dns4/cloud.example/tcp/7776/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"
	seed2 = "/ip4/192.0.2.1/udp/7776/quic-v1/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5"
)

func TestErrors(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "mesh: farm\nlisen: []\n", `line 2: unknown key "lisen"`},
		{"key twice", "mesh: a\nmesh: b\n", "line 2"},
		{"wrong type", "mesh: farm\nenable_mdns: perhaps\n", "line 2"},
		{"not yaml", "mesh: [\n", "line 1"},
		{"mesh", "mesh: Farm/1\n", "mesh:"},
		{"listen", "mesh: farm\nlisten: [localhost:1]\n", "listen:"},
		{"seed without peer", "mesh: farm\nseeds: [/ip4/192.0.2.1/tcp/1]\n", "seeds:"},
		{"api not loopback", "mesh: farm\napi_listen: 0.0.0.0:7780\n", "loopback"},
		{"api by name", "mesh: farm\napi_listen: localhost:7780\n", "api_listen:"},
		{"coap", "mesh: farm\ncoap_listen: somewhere\n", "coap_listen:"},
		{"interval", "mesh: farm\nmirror_interval: 1ms\n", "mirror_interval:"},
		{"validity", "mesh: farm\nrecord_validity: 1000h\n", "record_validity:"},
		{"level", "mesh: farm\nlog_level: loud\n", "log_level:"},
		{"nowhere", "mesh: farm\nlisten: []\nenable_mdns: false\n", "listen:"},
		{"emptied", "", "mesh is missing"},
		{"large", "# " + strings.Repeat("x", yamlfile.MaxSize), "larger"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("Parse = %v, want one line with %q", err, tt.want)
			}
		})
	}
	if c, err := Parse([]byte("mesh: farm\n")); err != nil || len(c.Listen) != len(Default().Listen) {
		t.Errorf("Parse(a mesh alone) = %+v, %v, want the defaults", c, err)
	}
}

func FuzzParse(f *testing.F) {
	c := Default()
	f.Add(c.Format())
	f.Add([]byte("mesh: farm\nlisten: []\nseeds: [" + seed + "]\n"))
	f.Add([]byte("mesh: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		if _, err := Parse(c.Format()); err != nil {
			t.Errorf("accepted configuration does not survive Format: %v", err)
		}
	})
}
