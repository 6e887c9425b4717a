// Package link is the way from a home node to one device: a serial line or a UDP socket, one exchange at a time, retransmitted.
//
// A Link stays open for as long as the node wants it: a line that disappears is opened again, and a device that is not there yet may
// come. Every exchange and every retransmission has a bound.
//
//	l, err := link.Open("serial:/dev/ttyUSB0", link.Config{})
//	...
//	answer, timings, err := l.Exchange(ctx, request)
package link
