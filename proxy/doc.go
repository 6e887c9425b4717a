// Package proxy stands between the mesh and constrained devices: it is the only one who speaks to a device, and every
// request for a service enters through it, whether it comes over a mesh stream, through the node's CoAP UDP port, or from
// this process. docs/spec/wire.md is its specification.
//
// It promises that
//
//   - a caller reaches the service that it names and nothing else: no address, no port, no other scheme, no /k;
//   - what a tag covers passes bit for bit; what is new on every hop is consumed here;
//   - a device sees one request at a time, in a bounded and fair queue; strangers take no place of the node itself, nor all of
//     proved peers; who comes too often is told when to come again;
//   - plain readers of /.well-known/core are answered from a cache, so they cannot drain a device;
//   - its memory is bounded whoever sends what.
//
// It does not check capabilities: the device does, or the handler of a service that this node hosts.
//
//	p, err := proxy.New(proxy.Config{Resolve: homes.Resolve})
//	err = p.AddDevice(id, manifest, link)
//	port, err := udpserver.Listen("127.0.0.1:5683", p, udpserver.Config{})
//	go coap.ServeConn(ctx, stream, p, coap.Source{Peer: stream.Conn().RemotePeer().String()}, coap.StreamConfig{})
//	result, err := caller.Call(ctx, p.Local(), capability, request)
package proxy
