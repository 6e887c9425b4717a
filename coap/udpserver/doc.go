// Package udpserver is CoAP over UDP (RFC 7252) for clients on this machine or its network. docs/spec/wire.md is its specification.
//
// A Server keeps a bounded number of message IDs with their answers and works on a bounded number of requests. Until an address that
// is not on loopback has proved by an Echo (RFC 9175) that it is there, it gets at most three times the bytes that it sent. Any
// bytes may come: nothing that a datagram holds makes the server fail.
//
//	server, err := udpserver.Listen("127.0.0.1:5683", handler, udpserver.Config{})
//	...
//	err = server.Close()
package udpserver
