package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// rawUDP measures the floor under a call: a datagram of the same size from socket to socket over as many hops, no work done in
// between. hops counts the forwarders (relay, home node) before the echo (device).
func rawUDP(hops, n, size int) ([]time.Duration, error) {
	target, err := udpEcho()
	if err != nil {
		return nil, err
	}
	sockets := []*net.UDPConn{target}
	defer func() {
		for _, s := range sockets {
			_ = s.Close()
		}
	}()
	for range hops {
		in, out, err := udpForward(target.LocalAddr().(*net.UDPAddr))
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, in, out)
		target = in
	}
	c, err := net.DialUDP("udp4", nil, target.LocalAddr().(*net.UDPAddr))
	if err != nil {
		return nil, err
	}
	sockets = append(sockets, c)
	buf := make([]byte, size)
	samples := make([]time.Duration, 0, n)
	for range n {
		began := time.Now()
		if err := c.SetDeadline(began.Add(time.Second)); err != nil {
			return nil, err
		}
		if _, err := c.Write(buf); err != nil {
			return nil, err
		}
		if _, err := c.Read(buf); err != nil {
			return nil, fmt.Errorf("raw UDP over %d hops: %w", hops, err)
		}
		samples = append(samples, time.Since(began))
	}
	return samples, nil
}

func loopback() *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func udpEcho() (*net.UDPConn, error) {
	s, err := net.ListenUDP("udp4", loopback())
	if err != nil {
		return nil, err
	}
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := s.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if _, err := s.WriteToUDPAddrPort(buf[:n], from); err != nil {
				return
			}
		}
	}()
	return s, nil
}

// udpForward passes datagrams from whoever wrote last to target, and the answers back.
func udpForward(target *net.UDPAddr) (in, out *net.UDPConn, err error) {
	if in, err = net.ListenUDP("udp4", loopback()); err != nil {
		return nil, nil, err
	}
	if out, err = net.DialUDP("udp4", nil, target); err != nil {
		return nil, nil, errors.Join(err, in.Close())
	}
	go func() {
		buf, answer := make([]byte, 2048), make([]byte, 2048)
		for {
			n, from, err := in.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if _, err := out.Write(buf[:n]); err != nil {
				return
			}
			if n, err = out.Read(answer); err != nil {
				return
			}
			if _, err := in.WriteToUDPAddrPort(answer[:n], from); err != nil {
				return
			}
		}
	}()
	return in, out, nil
}

// rawSync measures the floor under an acknowledged append: write size bytes to a preallocated file and fdatasync, one at a time, on dir's disk.
func rawSync(dir string, d time.Duration, size int) (perSecond float64, err error) {
	f, err := os.CreateTemp(dir, "fdatasync")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(filepath.Clean(f.Name()))) }()
	buf := make([]byte, size)
	began, n := time.Now(), 0
	for time.Since(began) < d {
		if _, err := f.Write(buf); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
