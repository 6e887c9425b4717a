package udpserver

import (
	"context"
	"net"
	"net/netip"
	"strings"
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
		entry, _ := server.remember(messageKey{from, messageID})
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
	key := func(id uint16) messageKey { return messageKey{id: id} }
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
