// Package coap is Edgeistry's profile of CoAP: how one request travels, unchanged, from a caller through the mesh to
// an 8-bit device. docs/spec/wire.md is its specification.
//
// It holds
//
//   - the datagram form (RFC 7252), the stream form (RFC 8323) and the serial form (SLIP with a CRC), coded by go-coap
//     after a scan of the raw bytes that refuses what go-coap would drop silently;
//   - Client and ServeConn, the two ends of a mesh stream: many requests at once, none of which holds up another;
//   - the payloads: log heads, ranges, link format, traces.
//
// Every length is checked before memory is allocated or bytes are read, and every wait has a bound. The package keeps no
// state between processes, knows no peers' addresses but those it is given, and prints nothing.
//
// Package coap/link is the way to one device. Package capability decides who may ask what, and package proxy where a service is.
//
// A request, from the caller's node:
//
//	client := coap.NewClient(stream, coap.StreamConfig{})
//	req, err := coap.NewRequest(coap.CodeGET, "/.well-known/core", nil, nil)
//	answer, err := client.Do(ctx, req)
package coap
