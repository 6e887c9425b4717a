package link

import "testing"

func TestOpenLinkURL(t *testing.T) {
	for _, bad := range []string{"", "serial", "serial:", "serial:?baud=9600", "serial:/dev/x?speed=1", "serial:/dev/x?baud=0", "serial:/dev/x?baud=many", "udp:", "udp:host", "udp:host:0", "udp::5683", "tcp:host:1", "udp:192.0.2.7:70000", "udp:192.0.2.7:coap", "udp:192.0.2.7:-1", "udp:fe80::1:5683", "serial:/dev/x?baud=9600&baud=19200", "serial:/dev/x?baud="} {
		if l, err := Open(bad, Config{}); err == nil {
			l.Close()
			t.Errorf("Open(%q) gave a link", bad)
		}
	}
}

func TestParseLink(t *testing.T) {
	for text, want := range map[string]Address{
		"serial:/dev/ttyUSB0":             {Serial: "/dev/ttyUSB0"},
		"serial:/dev/ttyUSB0?baud=115200": {Serial: "/dev/ttyUSB0", Baud: 115200},
		"udp:192.0.2.7:65535":             {UDP: "192.0.2.7:65535"},
		"udp:[2001:db8::7]:5683":          {UDP: "[2001:db8::7]:5683"},
		"udp:pump.example:5683":           {UDP: "pump.example:5683"},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
}
