package link

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// udpAckTimeout is the time before the first retransmission to a device on the local network; RFC 7252 section 4.8.1
// asks for not less than 1 s without better knowledge.
const udpAckTimeout = time.Second

// OpenUDP returns a link to the device at address ("host:port") over a connected socket.
func OpenUDP(address string, cfg Config) *Link {
	cfg = cfg.withDefaults(coap.MaxDatagram, udpAckTimeout)
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

// write sends the message a second time where the first attempt only returned the refusal of an earlier message.
func (u *udpLine) write(message []byte, _ bool) (int, error) {
	n, err := u.conn.Write(message)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return u.conn.Write(message)
	}
	return n, err
}

func (u *udpLine) read() ([]byte, int, error) {
	for {
		n, err := u.conn.Read(u.buf)
		if err != nil {
			return nil, 0, err
		}
		if n < len(u.buf) {
			return u.buf[:n], n, nil
		}
	}
}

func (u *udpLine) Close() error { return u.conn.Close() }

// Address is what the URL of a link names: a serial line or a UDP address.
type Address struct {
	Serial string // path of the line; "" for UDP
	Baud   int    // 0: the default
	UDP    string // HOST:PORT
}

// Parse reads the URL of a link: "serial:/dev/ttyUSB0", "serial:/dev/ttyUSB0?baud=57600" or "udp:192.0.2.7:5683".
func Parse(text string) (Address, error) {
	var a Address
	kind, rest, ok := strings.Cut(text, ":")
	if !ok || rest == "" || len(text) > 1024 {
		return a, fmt.Errorf("link %.80q: want serial:/dev/NAME or udp:HOST:PORT", text)
	}
	switch kind {
	case "serial":
		path, query, _ := strings.Cut(rest, "?")
		values, err := url.ParseQuery(query)
		if err != nil || path == "" {
			return a, fmt.Errorf("link %.80q: want serial:/dev/NAME or serial:/dev/NAME?baud=N", text)
		}
		for key, given := range values {
			if key != "baud" {
				return a, fmt.Errorf("link %.80q: unknown setting %.20q, only baud is known", text, key)
			}
			a.Baud, err = strconv.Atoi(given[0])
			if err != nil || len(given) > 1 || a.Baud < 300 || a.Baud > 4_000_000 {
				return a, fmt.Errorf("link %.80q: baud must be one number, 300 to 4000000", text)
			}
		}
		a.Serial = path
		return a, nil
	case "udp":
		host, port, err := net.SplitHostPort(rest)
		if err != nil || host == "" {
			return a, fmt.Errorf("link %.80q: want udp:HOST:PORT, an IPv6 address in brackets", text)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return a, fmt.Errorf("link %.80q: port %.20q is not within 1..65535", text, port)
		}
		a.UDP = rest
		return a, nil
	}
	return a, fmt.Errorf("link %.80q: unknown kind %.20q, want serial or udp", text, kind)
}

// Open returns the link that a URL names, as Parse reads it. Only a malformed URL is an error: a
// device that is not there may come.
func Open(text string, cfg Config) (*Link, error) {
	a, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if a.UDP != "" {
		return OpenUDP(a.UDP, cfg), nil
	}
	if a.Baud != 0 {
		cfg.Baud = a.Baud
	}
	return OpenSerial(a.Serial, cfg), nil
}
