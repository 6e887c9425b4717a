// Package coap is Edgeistry's profile of CoAP: how one request travels, unchanged, from a caller through the mesh to
// an 8-bit device. docs/spec/wire.md is its specification.
//
// It holds
//
//   - the datagram form (RFC 7252), the stream form (RFC 8323) and the serial form (SLIP with a CRC), coded by go-coap
//     after a scan of the raw bytes that refuses what go-coap would drop silently;
//   - Link, the node's end of a serial line or UDP socket to one device: one exchange at a time, retransmitted;
//   - Client and ServeConn, the two ends of a mesh stream: many requests at once, none of which holds up another;
//   - Caller, which opens capability sessions, protects requests and proves answers;
//   - the payloads: log heads, ranges, link format, traces.
//
// Every length is checked before memory is allocated or bytes are read, and every wait has a bound. The package keeps no
// state between processes, knows no peers' addresses but those it is given, and prints nothing.
//
// It does not decide who may ask what: that is package capability's, on the device; nor where a service is: that is package
// proxy's.
//
// A call, from the bottom up:
//
//	link, err := coap.OpenLink("serial:/dev/ttyUSB0", coap.LinkConfig{})   // at the home node
//	...
//	client := coap.NewClient(stream, coap.StreamConfig{})                  // at the caller's node
//	caller := coap.NewCaller(coap.CallerConfig{})
//	req, err := coap.NewRequest(capability.CodePOST, "/f/valve", nil, []byte{20})
//	result, err := caller.Call(ctx, client, cap, coap.Request{Message: req})
//	// err is a *coap.Denied if the answer is an error; result.Response.Payload is the function's result
package coap
