package dht

import (
	"net/netip"

	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// origin names the node that put a record into our store. The zero origin is this node itself:
// kad-dht corrects the local copy after a lookup.
type origin struct {
	peer  peer.ID
	group string // of the address that the node connected from, see groupOf
}

// Prefixes of the address groups that share a quota: a host in IPv4, a site in IPv6, as in the
// limits of connections.
const (
	groupBits4 = 32
	groupBits6 = 56
)

// groupOf returns the group of addresses that a remote address belongs to. All nodes behind one
// relay are one group, because their own addresses are not known. With exemptLoopback each node on
// this machine is a group of its own.
func groupOf(p peer.ID, remote ma.Multiaddr, exemptLoopback bool) string {
	if remote == nil {
		return ""
	}
	if _, err := remote.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		relay, _ := ma.SplitFunc(remote, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
		id, err := relay.ValueForProtocol(ma.P_P2P)
		if err != nil {
			id = relay.String()
		}
		return "relay " + id
	}
	ip, err := manet.ToIP(remote)
	if err != nil {
		return remote.String()
	}
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return remote.String()
	}
	a = a.Unmap()
	if a.IsLoopback() && exemptLoopback {
		return "node " + p.String()
	}
	bits := groupBits6
	if a.Is4() {
		bits = groupBits4
	}
	prefix, err := a.Prefix(bits)
	if err != nil {
		return a.String()
	}
	return prefix.String()
}

// The origin stands in a stored record as a field that the protocol does not use. It never leaves
// this node: Get and Query of recordStore remove it. It is the only unknown field of a stored
// record, because markOrigin replaces whatever unknown fields a peer sent, which would be bytes
// that no limit counts.
const (
	originField protowire.Number = 1000
	originPeer  protowire.Number = 1
	originGroup protowire.Number = 2
)

// markOrigin replaces the unknown fields of a record by its origin.
func markOrigin(rec *recpb.Record, o origin) {
	var inner []byte
	inner = protowire.AppendTag(inner, originPeer, protowire.BytesType)
	inner = protowire.AppendString(inner, string(o.peer))
	inner = protowire.AppendTag(inner, originGroup, protowire.BytesType)
	inner = protowire.AppendString(inner, o.group)
	raw := protowire.AppendTag(nil, originField, protowire.BytesType)
	rec.ProtoReflect().SetUnknown(protowire.AppendBytes(raw, inner))
}

// splitOrigin removes the origin from a stored record and returns both.
func splitOrigin(rec *recpb.Record) origin {
	var o origin
	raw := rec.ProtoReflect().GetUnknown()
	rec.ProtoReflect().SetUnknown(nil)
	num, typ, n := protowire.ConsumeTag(raw)
	if n < 0 || num != originField || typ != protowire.BytesType {
		return o
	}
	inner, n := protowire.ConsumeBytes(raw[n:])
	if n < 0 {
		return o
	}
	for len(inner) > 0 {
		num, typ, n := protowire.ConsumeTag(inner)
		if n < 0 || typ != protowire.BytesType {
			return o
		}
		value, m := protowire.ConsumeBytes(inner[n:])
		if m < 0 {
			return o
		}
		switch num {
		case originPeer:
			o.peer = peer.ID(value)
		case originGroup:
			o.group = string(value)
		}
		inner = inner[n+m:]
	}
	return o
}

// withoutOrigin returns a stored value as kad-dht wrote it. A value that does not parse stays as it
// is: kad-dht drops it.
func withoutOrigin(value []byte) []byte {
	var rec recpb.Record
	if err := proto.Unmarshal(value, &rec); err != nil || len(rec.ProtoReflect().GetUnknown()) == 0 {
		return value
	}
	rec.ProtoReflect().SetUnknown(nil)
	out, err := proto.Marshal(&rec)
	if err != nil {
		return value
	}
	return out
}
