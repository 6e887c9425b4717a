package udpserver

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry/coap"
)

// TestAmplification: an address that is not on loopback gets at most three times its bytes until it sends an Echo back.
// The datagrams here claim such an address and go through the server's own handling; what it answers goes nowhere, so
// the sizes are read off what it remembers to repeat.
func TestAmplification(t *testing.T) {
	server, err := Listen("127.0.0.1:0", coap.HandlerFunc(func(context.Context, coap.Source, *coap.Message) *coap.Message {
		return &coap.Message{Code: coap.CodeContent, Payload: make([]byte, 1000)}
	}), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	sink, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	far := netip.MustParseAddrPort("192.0.2.1:7")
	near := sink.LocalAddr().(*net.UDPAddr).AddrPort()
	ask := func(from netip.AddrPort, messageID uint16, echo []byte) (answer *coap.Datagram, size, asked int) {
		t.Helper()
		m := coap.Message{Code: coap.CodeGET}
		m.Add(coap.OptionURIHost, []byte(strings.Repeat("k", 62))) // as long as a service ID
		if echo != nil {
			m.Add(coap.OptionEcho, echo)
		}
		d := &coap.Datagram{Type: coap.Confirmable, ID: messageID, Message: m}
		raw, err := d.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		entry, _ := server.remember(requestKey{messageKey: messageKey{from, messageID}})
		server.serve(d, from, len(raw), entry)
		answer, err = coap.DecodeDatagram(entry.answer)
		if err != nil {
			t.Fatal(err)
		}
		return answer, len(entry.answer), len(raw)
	}
	if answer, _, _ := ask(near, 1, nil); len(answer.Message.Payload) != 1000 {
		t.Errorf("on loopback: %+v, want the answer", answer)
	}
	answer, size, asked := ask(far, 2, nil)
	echo, ok := answer.Message.Get(coap.OptionEcho)
	if !ok || answer.Message.Code != coap.CodeUnauthorized || size > asked {
		t.Fatalf("from afar: %d bytes for %d, %+v, want a challenge", size, asked, answer)
	}
	if answer, _, _ := ask(far, 3, echo); len(answer.Message.Payload) != 1000 {
		t.Errorf("from afar with the Echo: %+v, want the answer", answer)
	}
	elsewhere := netip.MustParseAddrPort("192.0.2.2:7")
	if answer, _, _ := ask(elsewhere, 4, echo); answer.Message.Code != coap.CodeUnauthorized {
		t.Error("the Echo of another address counts")
	}
	echo[11] ^= 1
	if answer, _, _ := ask(far, 5, echo); answer.Message.Code != coap.CodeUnauthorized {
		t.Error("an altered Echo counts")
	}
	now := time.Now()
	if !server.checkEcho(server.echo(far, uint32(now.Unix())), far, now.Add(59*time.Second)) ||
		server.checkEcho(server.echo(far, uint32(now.Unix())), far, now.Add(62*time.Second)) ||
		server.checkEcho(server.echo(far, uint32(now.Unix()+10)), far, now) {
		t.Error("an Echo counts for 60 s, and not before its time")
	}
}

func TestRemembered(t *testing.T) {
	r := newRemembered(2)
	now := time.Now()
	key := func(id uint16) requestKey { return requestKey{messageKey: messageKey{id: id}} }
	first, known := r.add(key(1), now)
	if known {
		t.Error("known at first")
	}
	if again, known := r.add(key(1), now.Add(exchangeLifetime-1)); !known || again != first {
		t.Error("forgotten too early")
	}
	if _, known := r.add(key(1), now.Add(exchangeLifetime)); known {
		t.Error("known beyond the lifetime")
	}
	for id := range uint16(100) {
		r.add(key(id), now)
	}
	if r.known.Len() != 2 {
		t.Errorf("%d remembered, want 2", r.known.Len())
	}
	r.remove(key(99))
	r.remove(key(5))
	if _, known := r.add(key(99), now); known {
		t.Error("known after remove")
	}
}

// TestAmplificationOfEachDatagram counts what every datagram brings its sender's address, which sends no Echo back: stored
// answers, announcements and challenges included.
func TestAmplificationOfEachDatagram(t *testing.T) {
	slow := make(chan struct{})
	server, err := Listen("127.0.0.1:0", coap.HandlerFunc(func(_ context.Context, _ coap.Source, req *coap.Message) *coap.Message {
		if req.Path() == "/slow" {
			<-slow
		}
		return &coap.Message{Code: coap.CodeContent, Payload: make([]byte, 1000)}
	}), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	var mu sync.Mutex
	sent := map[netip.AddrPort]int{}
	server.transmit = func(raw []byte, to netip.AddrPort) error {
		mu.Lock()
		defer mu.Unlock()
		sent[to] += len(raw)
		return nil
	}
	encode := func(d coap.Datagram) []byte {
		raw, err := d.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	// worst sends datagrams from an address of its own and returns the largest factor of all; what comes late counts for the last.
	port := uint16(1000)
	worst := func(datagrams ...[]byte) float64 {
		port++
		from := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port)
		most, before := 0.0, 0
		for _, raw := range datagrams {
			server.Take(raw, from)
			server.idle(t)
			mu.Lock()
			most, before = max(most, float64(sent[from]-before)/float64(len(raw))), sent[from]
			mu.Unlock()
		}
		return most
	}
	get := coap.Message{Code: coap.CodeGET}
	long := coap.Message{Code: coap.CodeGET}
	for range 4 {
		long.Add(coap.OptionURIQuery, make([]byte, 200))
	}
	separate := coap.Message{Code: coap.CodeGET}
	separate.Add(coap.OptionURIPath, []byte("slow"))
	for range 4 {
		separate.Add(coap.OptionURIQuery, make([]byte, 80))
	}
	short := encode(coap.Datagram{Type: coap.Confirmable, ID: 7, Message: get})
	asked := encode(coap.Datagram{Type: coap.Confirmable, ID: 7, Message: long})
	for name, c := range map[string][][]byte{
		"4 bytes":                      {short},
		"4 bytes, not to be confirmed": {encode(coap.Datagram{Type: coap.NonConfirmable, ID: 7, Message: get})},
		"4 bytes after a long one of the same ID": {asked, short, short},
		"the long one again":                      {asked, asked, asked},
	} {
		if factor := worst(c...); factor > maxAmplification {
			t.Errorf("%s: %.1f times its bytes come back", name, factor)
		}
	}
	// An answer that takes long comes in two messages.
	from := netip.MustParseAddrPort("192.0.2.1:7")
	raw := encode(coap.Datagram{Type: coap.Confirmable, ID: 8, Message: separate})
	server.Take(raw, from)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		mu.Lock()
		announced := sent[from] > 0
		mu.Unlock()
		if announced || time.Now().After(deadline) {
			break
		}
	}
	close(slow)
	server.idle(t)
	mu.Lock()
	defer mu.Unlock()
	if factor := float64(sent[from]) / float64(len(raw)); factor > maxAmplification || sent[from] <= 4 {
		t.Errorf("a separate answer: %.2f times its bytes come back", factor)
	}
}

// idle waits until the server works on nothing.
func (s *Server) idle(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for len(s.slots) > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the server is still at work")
		}
		time.Sleep(time.Millisecond)
	}
}
