package proxy_test

import (
	"context"
	"testing"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
	"github.com/edgeistry/edgeistry/proxy"
)

// instant is a link to a device that answers at once.
type instant struct{ answer *coap.Message }

func (l instant) Exchange(context.Context, *coap.Message) (*coap.Message, coap.Legs, error) {
	return l.answer, coap.Legs{}, nil
}

// BenchmarkServe: what the proxy itself adds to one request.
func BenchmarkServe(b *testing.B) {
	p, err := proxy.New(proxy.Config{
		Logger: quiet,
		Resolve: func(context.Context, edgeistry.ServiceID) (coap.Doer, error) {
			return coap.DoerFunc(func(context.Context, *coap.Message) (*coap.Message, error) {
				return &coap.Message{Code: coap.CodeChanged}, nil
			}), nil
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	answer := &coap.Message{Code: coap.CodeChanged, Payload: []byte{1}}
	answer.Add(coap.OptionResponse, make([]byte, 16))
	if err := p.AddDevice(service, edgeistry.Manifest{}, instant{answer}); err != nil {
		b.Fatal(err)
	}
	elsewhere := edgeistry.ServiceID{1}
	for _, c := range []struct {
		name string
		to   edgeistry.ServiceID
		from coap.Source
	}{
		{"device", service, coap.Source{Peer: "12D3KooW"}},
		{"forward", elsewhere, coap.Source{Peer: "local", Local: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			m, err := coap.NewRequest(coap.CodePOST, "/f/valve", nil, []byte{20})
			if err != nil {
				b.Fatal(err)
			}
			m.Add(coap.OptionURIHost, []byte(c.to.String()))
			m.Add(coap.OptionRequest, append([]byte{0x20}, make([]byte, 16)...))
			b.ReportAllocs()
			for b.Loop() {
				if resp := p.ServeCoAP(b.Context(), c.from, m); resp.Code != coap.CodeChanged {
					b.Fatalf("answer %s", coap.CodeText(resp.Code))
				}
			}
		})
	}
}
