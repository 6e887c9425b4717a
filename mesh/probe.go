package mesh

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/multiformats/go-multistream"

	"github.com/edgeistry/edgeistry/coap"
)

// A connection whose peer was killed looks alive until QUIC's idle timeout of 30 s: nothing tells the caller, and a
// request waits as long. TCP behind a NAT that forgot the connection is the same. So a request that has waited for
// silentTime has the connection asked, and one that does not answer within probeTime is closed. The request then goes
// out once more on a new connection.
const (
	silentTime = 2 * time.Second
	probeTime  = 3 * time.Second
)

// outgoingStream is a CoAP stream to another node with the connection below it.
type outgoingStream struct {
	*coap.Client
	conn    network.Conn
	probing chan struct{} // holds a token while the connection is asked
}

// guard closes the connection if it is dead while a request waits. The request ends with the call of stop.
func (o *outgoingStream) guard(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		silence := time.NewTimer(silentTime)
		defer silence.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-silence.C:
			}
			select {
			case o.probing <- struct{}{}:
				dead := !answers(ctx, o.conn)
				<-o.probing
				if dead && ctx.Err() == nil {
					_ = o.conn.Close()
					return
				}
			default: // another request asks already
			}
			silence.Reset(silentTime)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// answers reports whether the peer of a connection answers a ping. Whatever comes back is an answer, also that the peer
// knows no ping. A connection that fails in another way than by silence ends by itself.
func answers(ctx context.Context, c network.Conn) bool {
	ctx, cancel := context.WithTimeout(network.WithAllowLimitedConn(ctx, "probe"), probeTime)
	defer cancel()
	stream, err := c.NewStream(ctx)
	if err != nil {
		return !errors.Is(err, context.DeadlineExceeded)
	}
	defer func() { _ = stream.Reset() }()
	stopped := context.AfterFunc(ctx, func() { _ = stream.Reset() })
	defer stopped()
	if err := multistream.SelectProtoOrFail(protocol.ID(ping.ID), stream); err != nil {
		return ctx.Err() == nil
	}
	sent := make([]byte, ping.PingSize)
	_, _ = rand.Read(sent)
	if _, err := stream.Write(sent); err != nil {
		return ctx.Err() == nil
	}
	_, err = io.ReadFull(stream, sent)
	return err == nil || ctx.Err() == nil
}
