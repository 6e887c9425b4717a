package dht

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// goodPeers are members of the mesh that this node was connected to, on disk, so that it finds the
// mesh again when every seed is gone.
type goodPeers struct {
	ds  datastore.Batching
	max int

	mu    sync.Mutex
	peers map[peer.ID]goodPeer
}

type goodPeer struct {
	info peer.AddrInfo
	seen time.Time
}

// storedPeer is a good peer on disk, under its peer ID.
type storedPeer struct {
	Seen  uint64   `cbor:"1,keyasint"`
	Addrs [][]byte `cbor:"2,keyasint"`
}

func openPeers(ctx context.Context, ds datastore.Batching, limit int, log *slog.Logger) (*goodPeers, error) {
	g := &goodPeers{ds: ds, max: limit, peers: make(map[peer.ID]goodPeer)}
	results, err := ds.Query(ctx, query.Query{})
	if err != nil {
		return nil, fmt.Errorf("read known peers: %w", err)
	}
	defer results.Close()
	for result := range results.Next() {
		if result.Error != nil {
			return nil, fmt.Errorf("read known peers: %w", result.Error)
		}
		p, err := decodePeer(datastore.RawKey(result.Key).BaseNamespace(), result.Value)
		if err != nil {
			log.Warn("dropped a stored peer that does not decode", "key", result.Key, "error", err)
			if err := ds.Delete(ctx, datastore.RawKey(result.Key)); err != nil {
				return nil, fmt.Errorf("drop known peer: %w", err)
			}
			continue
		}
		g.peers[p.info.ID] = p
	}
	return g, nil
}

func decodePeer(name string, value []byte) (goodPeer, error) {
	id, err := peer.Decode(name)
	if err != nil {
		return goodPeer{}, err
	}
	var stored storedPeer
	if err := cbor.Unmarshal(value, &stored); err != nil {
		return goodPeer{}, err
	}
	p := goodPeer{info: peer.AddrInfo{ID: id}, seen: time.Unix(int64(stored.Seen), 0)}
	for _, raw := range stored.Addrs {
		a, err := ma.NewMultiaddrBytes(raw)
		if err != nil {
			return goodPeer{}, err
		}
		p.info.Addrs = append(p.info.Addrs, a)
	}
	return p, nil
}

// all returns every good peer.
func (g *goodPeers) all() []peer.AddrInfo {
	g.mu.Lock()
	defer g.mu.Unlock()
	infos := make([]peer.AddrInfo, 0, len(g.peers))
	for _, p := range g.peers {
		infos = append(infos, p.info)
	}
	return infos
}

// remember stores a member of the mesh. When the list is full the one not seen for longest makes
// room, but a connected one never does: a crowd of new names cannot push out the peers that work.
func (g *goodPeers) remember(ctx context.Context, info peer.AddrInfo, now time.Time, connected func(peer.ID) bool) error {
	info.Addrs = usableAddrs(info.Addrs)
	if len(info.Addrs) > MaxAddrs {
		info.Addrs = info.Addrs[:MaxAddrs]
	}
	if len(info.Addrs) == 0 {
		return nil
	}
	stored := storedPeer{Seen: uint64(now.Unix())}
	for _, a := range info.Addrs {
		stored.Addrs = append(stored.Addrs, a.Bytes())
	}
	value, err := cbor.Marshal(&stored)
	if err != nil {
		return fmt.Errorf("store known peer: %w", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.peers[info.ID]; !ok && len(g.peers) >= g.max {
		var oldest peer.ID
		for id, p := range g.peers {
			if !connected(id) && (oldest == "" || p.seen.Before(g.peers[oldest].seen)) {
				oldest = id
			}
		}
		if oldest == "" {
			return nil
		}
		if err := g.ds.Delete(ctx, datastore.NewKey(oldest.String())); err != nil {
			return fmt.Errorf("forget known peer: %w", err)
		}
		delete(g.peers, oldest)
	}
	if err := g.ds.Put(ctx, datastore.NewKey(info.ID.String()), value); err != nil {
		return fmt.Errorf("store known peer: %w", err)
	}
	g.peers[info.ID] = goodPeer{info: info, seen: now}
	return nil
}
