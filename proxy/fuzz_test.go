package proxy

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
)

// spy is a device that says what reached it.
type spy struct{ t *testing.T }

func (s spy) Exchange(_ context.Context, req *coap.Message) (*coap.Message, coap.Legs, error) {
	for _, o := range req.Options {
		switch o.Number {
		case coap.OptionURIPath:
			if !isName(string(o.Value)) {
				s.t.Fatalf("segment %q reached the device", o.Value)
			}
		case coap.OptionURIHost, coap.OptionURIPort, coap.OptionProxyURI, coap.OptionProxyScheme,
			coap.OptionHopLimit, coap.OptionTrace, coap.OptionMaxAge, coap.OptionEcho:
			s.t.Fatalf("option %d reached the device", o.Number)
		}
	}
	_, protected := req.Get(coap.OptionRequest)
	if path := req.Path(); path == "/k" || strings.HasPrefix(path, "/k/") || !protected && path != "/h" && path != "/.well-known/core" {
		s.t.Fatalf("%s reached the device", path)
	}
	return &coap.Message{Code: coap.CodeContent}, coap.Legs{}, nil
}

// FuzzServe: whatever a datagram says, a device sees only what it should, and every request is answered.
func FuzzServe(f *testing.F) {
	id := edgeistry.ServiceID{0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a}
	seed := func(code uint8, options ...any) {
		m := coap.Message{Code: code, Payload: make([]byte, 20)}
		for i := 0; i < len(options); i += 2 {
			m.Add(uint16(options[i].(int)), []byte(options[i+1].(string)))
		}
		raw, err := (&coap.Datagram{Message: m}).Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	seed(1, 35, "coap://"+id.String()+"/.well-known/core")
	seed(2, 35, "coap://"+id.String()+"/k")
	seed(2, 3, id.String(), 11, "h")
	seed(2, 3, id.String(), 11, "k")
	seed(1, 3, id.String(), 11, "l", 11, "t", 15, "s=1", 65001, "\x20aaaaaaaaaaaaaaaa")
	seed(1, 3, id.String(), 11, ".well-known", 11, "core", 23, "\x17", 39, "coap", 16, "\x01")
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := coap.DecodeDatagram(raw)
		if err != nil {
			return
		}
		p, err := New(Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if err := p.AddDevice(id, edgeistry.Manifest{}, spy{t}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		resp := p.ServeCoAP(ctx, coap.Source{Peer: "x", Datagram: true}, &d.Message)
		if resp == nil || resp.Code>>5 < 2 {
			t.Fatalf("%x is answered by %v", raw, resp)
		}
		if _, err := (&coap.Datagram{Message: *resp}).Append(nil); err != nil {
			t.Fatalf("the answer to %x cannot be sent: %v", raw, err)
		}
	})
}
