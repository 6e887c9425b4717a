package harness

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"time"
)

// newsLog remembers when a device said that a log has grown (POST /u, docs/spec/wire.md).
type newsLog struct {
	mu    sync.Mutex
	times []time.Time
}

// News is when the device said so, oldest first.
func (l *newsLog) News() []time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]time.Time(nil), l.times...)
}

func (l *newsLog) see(m []byte) {
	if len(m) >= 4 && m[0]>>4 == 0x5 && m[1] == 0x02 && bytes.Contains(m, []byte{0xb1, 'u'}) {
		l.mu.Lock()
		l.times = append(l.times, time.Now())
		l.mu.Unlock()
	}
}

// Datagrams stands between a node and a device on UDP, and notes when the device sends news.
type Datagrams struct {
	newsLog
	Link string // what the node uses instead of the device's link

	in, out *net.UDPConn
	wg      sync.WaitGroup

	mu      sync.Mutex
	node    *net.UDPAddr
	traffic [][]byte
}

// Traffic is every datagram that has passed since the last call, both ways.
func (d *Datagrams) Traffic() [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.traffic
	d.traffic = nil
	return out
}

// TapUDP passes datagrams on to the device at addr (host:port) and back.
func TapUDP(addr string) (*Datagrams, error) {
	device, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		return nil, err
	}
	d := &Datagrams{}
	if d.in, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
		return nil, err
	}
	if d.out, err = net.DialUDP("udp4", nil, device); err != nil {
		return nil, errors.Join(err, d.in.Close())
	}
	d.Link = "udp:" + d.in.LocalAddr().String()
	d.wg.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := d.in.ReadFromUDP(buf)
			if err != nil {
				return
			}
			d.mu.Lock()
			d.node = from
			d.traffic = append(d.traffic, bytes.Clone(buf[:n]))
			d.mu.Unlock()
			_, _ = d.out.Write(buf[:n]) // a device that is away loses datagrams, as on any network
		}
	})
	d.wg.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, err := d.out.Read(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // the device's port is closed for now
			}
			d.see(buf[:n])
			d.mu.Lock()
			node := d.node
			d.traffic = append(d.traffic, bytes.Clone(buf[:n]))
			d.mu.Unlock()
			if node != nil {
				_, _ = d.in.WriteToUDP(buf[:n], node)
			}
		}
	})
	return d, nil
}

// Close takes the tap away.
func (d *Datagrams) Close() error {
	err := errors.Join(d.in.Close(), d.out.Close())
	d.wg.Wait()
	return err
}
