package node

import (
	"slices"
	"testing"

	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry/dht"
)

func addrsOf(texts ...string) (addrs []ma.Multiaddr) {
	for _, text := range texts {
		addrs = append(addrs, ma.StringCast(text))
	}
	return addrs
}

// TestRecordAddrs has a machine with three networks of containers, which alone have more addresses than a record holds:
// the announced, relayed and public ones come first.
func TestRecordAddrs(t *testing.T) {
	const relayed = "/ip4/198.51.100.7/tcp/7776/p2p/12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo/p2p-circuit"
	host := addrsOf(
		"/ip4/127.0.0.1/tcp/7776", "/ip4/127.0.0.1/udp/7776/quic-v1",
		"/ip4/172.17.0.1/tcp/7776", "/ip4/172.17.0.1/udp/7776/quic-v1",
		"/ip4/172.18.0.1/tcp/7776", "/ip4/172.18.0.1/udp/7776/quic-v1",
		"/ip4/172.19.0.1/tcp/7776", "/ip4/172.19.0.1/udp/7776/quic-v1",
		"/ip4/192.168.1.7/tcp/7776", "/ip4/192.168.1.7/udp/7776/quic-v1",
		"/ip4/8.8.4.4/tcp/7776",
		"/dns4/farm.example/tcp/7776", relayed,
	)
	got := rankAddrs(host, addrsOf("/dns4/farm.example/tcp/7776"))
	want := addrsOf("/dns4/farm.example/tcp/7776", relayed, "/ip4/8.8.4.4/tcp/7776")
	if !slices.EqualFunc(got[:3], want, ma.Multiaddr.Equal) {
		t.Errorf("the first addresses are %v, want %v", got[:3], want)
	}
	if len(got) != len(host)-2 || len(got) <= dht.MaxAddrs {
		t.Errorf("%d addresses of %d, want all but the two of loopback", len(got), len(host))
	}
	if got := rankAddrs(host[:2], nil); len(got) != 2 {
		t.Errorf("a node on loopback alone names %v", got)
	}
	if got := rankAddrs(append(host[:2:2], ma.StringCast(relayed)), nil); len(got) != 3 || got[0].String() != relayed {
		t.Errorf("a node on loopback with a relay names %v", got)
	}
	if got := rankAddrs(append(host[:1:1], host[0]), nil); len(got) != 1 {
		t.Errorf("an address stands twice: %v", got)
	}
}
