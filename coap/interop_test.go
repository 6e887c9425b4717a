package coap_test

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"

	"github.com/edgeistry/edgeistry/coap"
)

// TestInteropGoCoAP: go-coap's own RFC 8323 client asks our end of a stream.
func TestInteropGoCoAP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	h := coap.HandlerFunc(func(_ context.Context, _ coap.Source, req *coap.Message) *coap.Message {
		return &coap.Message{Code: coap.CodeContent, Payload: []byte(req.Path())}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if err := coap.ServeConn(ctx, conn, h, coap.Source{Peer: "go-coap"}, coap.StreamConfig{}); err != nil {
			t.Error(err)
		}
	})
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client, err := tcp.Client(conn, options.WithCloseSocket(), options.WithErrors(func(error) {}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
	resp, err := client.Get(ctx, "/l/temperature")
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body()); err != nil || string(body) != "/l/temperature" {
		t.Errorf("body = %q, %v", body, err)
	}
}
