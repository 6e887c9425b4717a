package coap

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// udpAckTimeout is the time before the first retransmission to a device on the local network; RFC 7252 section 4.8.1
// asks for not less than 1 s without better knowledge.
const udpAckTimeout = time.Second

// OpenUDP gives a link to the device at address ("host:port") over a connected socket.
func OpenUDP(address string, cfg LinkConfig) *Link {
	cfg = cfg.withDefaults(MaxDatagram, udpAckTimeout)
	return newLink("udp:"+address, cfg, 0, func() (carrier, error) {
		conn, err := net.DialTimeout("udp", address, 5*time.Second)
		if err != nil {
			return nil, err
		}
		return &udpLine{conn: conn, buf: make([]byte, cfg.MaxMessage+1)}, nil
	})
}

// udpLine is a carrier over a connected socket.
type udpLine struct {
	conn net.Conn
	buf  []byte
}

func (u *udpLine) write(message []byte, _ bool) (int, error) { return u.conn.Write(message) }

func (u *udpLine) read() ([]byte, int, error) {
	for {
		n, err := u.conn.Read(u.buf)
		if errors.Is(err, syscall.ECONNREFUSED) { // nobody listens just now: a device that restarts
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		if n < len(u.buf) {
			return u.buf[:n], n, nil
		}
	}
}

func (u *udpLine) Close() error { return u.conn.Close() }

// OpenLink gives the link that a URL names: "serial:/dev/ttyUSB0", "serial:/dev/ttyUSB0?baud=57600" or
// "udp:192.0.2.7:5683". Only a malformed URL is an error: a device that is not there may come.
func OpenLink(text string, cfg LinkConfig) (*Link, error) {
	kind, rest, ok := strings.Cut(text, ":")
	if !ok || rest == "" || len(text) > 1024 {
		return nil, fmt.Errorf("link %.80q: want serial:/dev/NAME or udp:HOST:PORT", text)
	}
	switch kind {
	case "serial":
		path, query, _ := strings.Cut(rest, "?")
		values, err := url.ParseQuery(query)
		if err != nil || path == "" {
			return nil, fmt.Errorf("link %.80q: want serial:/dev/NAME or serial:/dev/NAME?baud=N", text)
		}
		for key := range values {
			if key != "baud" {
				return nil, fmt.Errorf("link %.80q: unknown setting %.20q, only baud is known", text, key)
			}
		}
		if baud := values.Get("baud"); baud != "" {
			cfg.Baud, err = strconv.Atoi(baud)
			if err != nil || cfg.Baud < 300 || cfg.Baud > 4_000_000 {
				return nil, fmt.Errorf("link %.80q: baud must be 300 to 4000000", text)
			}
		}
		return OpenSerial(path, cfg), nil
	case "udp":
		if host, port, err := net.SplitHostPort(rest); err != nil || host == "" || port == "" || port == "0" {
			return nil, fmt.Errorf("link %.80q: want udp:HOST:PORT", text)
		}
		return OpenUDP(rest, cfg), nil
	}
	return nil, fmt.Errorf("link %.80q: unknown kind %.20q, want serial or udp", text, kind)
}
