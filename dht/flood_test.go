package dht

import (
	"bufio"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ipfs/go-datastore"
	kadpb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p-record"
	recpb "github.com/libp2p/go-libp2p-record/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/edgeistry/edgeistry"
)

// stranger is a plain libp2p host that speaks just enough of the DHT's protocol to put records.
type stranger struct {
	host.Host
	s network.Stream
	r *bufio.Reader
}

// startStranger connects a host that listens on an address of loopback to a node.
func startStranger(t testing.TB, listen string, to *node) *stranger {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &stranger{Host: startHost(t, key, listen)}
	if err := x.Connect(bounded(t, 10*time.Second), to.info()); err != nil {
		t.Fatal(err)
	}
	return x
}

// put asks a node to store a record and returns whether the node says that it did.
func (x *stranger) put(t testing.TB, to *node, rec *recpb.Record) bool {
	t.Helper()
	if x.s == nil {
		s, err := x.NewStream(t.Context(), to.ID(), to.reg.proto)
		if err != nil {
			t.Fatal(err)
		}
		_ = s.SetDeadline(time.Now().Add(10 * time.Second))
		x.s, x.r = s, bufio.NewReader(s)
	}
	m := &kadpb.Message{Type: kadpb.Message_PUT_VALUE, Key: rec.GetKey(), Record: rec}
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	ok := func() bool {
		if _, err := x.s.Write(append(binary.AppendUvarint(nil, uint64(len(raw))), raw...)); err != nil {
			return false
		}
		n, err := binary.ReadUvarint(x.r)
		if err != nil || n > 1<<20 {
			return false
		}
		_, err = io.CopyN(io.Discard, x.r, int64(n))
		return err == nil
	}()
	if !ok { // a refusal resets the stream
		_ = x.s.Reset()
		x.s = nil
	}
	return ok
}

// fresh returns a valid record of a new service at a home.
func fresh(t testing.TB, at peer.ID) (service, *recpb.Record) {
	t.Helper()
	key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := pub.Raw()
	if err != nil {
		t.Fatal(err)
	}
	id, err := edgeistry.ServiceIDFromBytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	s := service{key, id}
	return s, s.put(t, at, 1)
}

// put returns the record of a service as it is put, with one home.
func (s service) put(t testing.TB, at peer.ID, sequence uint64) *recpb.Record {
	t.Helper()
	rec := Record{
		Service: s.id, Sequence: sequence, NotBefore: time.Now(), Expiry: time.Now().Add(time.Hour),
		Homes: []peer.AddrInfo{{ID: at}},
	}
	return record.MakePutRecord(Key(s.id), s.seal(t, rec))
}

func (n *node) holds(t testing.TB, id edgeistry.ServiceID) bool {
	t.Helper()
	rec, err := n.reg.values.Get(t.Context(), Key(id))
	if err != nil {
		t.Fatal(err)
	}
	return rec != nil
}

func startSmall(t testing.TB, limits Limits) *node {
	t.Helper()
	l := quick()
	l.Records, l.RecordsPerPeer, l.RecordsPerAddr, l.ExemptLoopback = limits.Records, limits.RecordsPerPeer, limits.RecordsPerAddr, limits.ExemptLoopback
	return startNodeWith(t, newService(t, randomSeed()).key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: memory(), Limits: l})
}

// TestFloodOfOneIdentity has one identity put as many records as it can: it gets its quota and no
// more, and honest records from before and after are there.
func TestFloodOfOneIdentity(t *testing.T) {
	a := startSmall(t, Limits{Records: 200, RecordsPerPeer: 50, RecordsPerAddr: 100})
	honest := startStranger(t, "/ip4/127.0.0.2/tcp/0", a)
	evil := startStranger(t, "/ip4/127.0.0.3/tcp/0", a)
	before, rec := fresh(t, honest.ID())
	if !honest.put(t, a, rec) {
		t.Fatal("an honest record was refused before the flood")
	}
	stored := 0
	for range 80 {
		if _, rec := fresh(t, evil.ID()); evil.put(t, a, rec) {
			stored++
		}
	}
	if stored != 50 || a.reg.Status().Refused != 30 {
		t.Errorf("one identity stored %d records, %d refused, want 50 and 30", stored, a.reg.Status().Refused)
	}
	after, rec := fresh(t, honest.ID())
	if !honest.put(t, a, rec) || !a.holds(t, before.id) || !a.holds(t, after.id) {
		t.Error("honest records are missing beside the flood")
	}
}

// TestFloodOfOneAddress has many identities at one address: together they get that address's quota,
// and a node at the same address with few records still gets in.
func TestFloodOfOneAddress(t *testing.T) {
	a := startSmall(t, Limits{Records: 200, RecordsPerPeer: 50, RecordsPerAddr: 80})
	for range 8 {
		evil := startStranger(t, "/ip4/127.0.0.3/tcp/0", a)
		for range 20 {
			_, rec := fresh(t, evil.ID())
			evil.put(t, a, rec)
		}
	}
	if got := a.reg.Status().Records; got != 80 {
		t.Errorf("one address stored %d records, want 80", got)
	}
	neighbour := startStranger(t, "/ip4/127.0.0.3/tcp/0", a)
	s, rec := fresh(t, neighbour.ID())
	if !neighbour.put(t, a, rec) || !a.holds(t, s.id) {
		t.Error("a node at the address of a flood cannot store one record")
	}
	if got := a.reg.Status(); got.Records != 80 || got.Evicted == 0 {
		t.Errorf("then %d records, %d evicted, want 80 and some", got.Records, got.Evicted)
	}
}

// TestFloodOfManyAddresses fills the whole store from 12 addresses, 36 identities, while 20 honest
// nodes put 5 records each, before and during the flood: at least 99 % of the honest records are
// accepted and stay.
func TestFloodOfManyAddresses(t *testing.T) {
	a := startSmall(t, Limits{Records: 400, RecordsPerPeer: 50, RecordsPerAddr: 100})
	var honest []edgeistry.ServiceID
	accepted := 0
	putHonest := func(from int) {
		for i := from; i < from+10; i++ {
			x := startStranger(t, fmt.Sprintf("/ip4/127.0.1.%d/tcp/0", i+1), a)
			for range 5 {
				s, rec := fresh(t, x.ID())
				honest = append(honest, s.id)
				if x.put(t, a, rec) {
					accepted++
				}
			}
		}
	}
	putHonest(0)
	flood := func() {
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				for range 3 {
					x := startStranger(t, fmt.Sprintf("/ip4/127.0.2.%d/tcp/0", i+1), a)
					for range 40 {
						_, rec := fresh(t, x.ID())
						x.put(t, a, rec)
					}
				}
			})
		}
		wg.Wait()
	}
	flood()
	if got := a.reg.Status().Records; got != 400 {
		t.Fatalf("%d records stored, want a full store", got)
	}
	putHonest(10)
	flood()
	kept := 0
	for _, id := range honest {
		if a.holds(t, id) {
			kept++
		}
	}
	t.Logf("honest records: %d put, %d accepted, %d there after the flood", len(honest), accepted, kept)
	if accepted*100 < len(honest)*99 || kept*100 < len(honest)*99 {
		t.Errorf("of %d honest records %d were accepted and %d stayed, want 99 %%", len(honest), accepted, kept)
	}
}

// TestFloodTakesNoRecord has a flooder put an honest record again, to count it as its own and then
// push it out. The record stays with the node that brought it, and goes to a home of the service
// when that brings it.
func TestFloodTakesNoRecord(t *testing.T) {
	a := startSmall(t, Limits{Records: 20, RecordsPerPeer: 15, RecordsPerAddr: 15})
	home := startStranger(t, "/ip4/127.0.0.2/tcp/0", a)
	evil := startStranger(t, "/ip4/127.0.0.3/tcp/0", a)
	s, rec := fresh(t, home.ID())
	originOf := func() peer.ID {
		a.reg.store.mu.RLock()
		defer a.reg.store.mu.RUnlock()
		for key, e := range a.reg.store.quota.entries {
			if raw, err := a.reg.store.Batching.Get(t.Context(), key); err == nil && strings.Contains(string(raw), string(s.id[:])) {
				return e.origin.peer
			}
		}
		return ""
	}
	evil.put(t, a, rec)
	if got := originOf(); got != evil.ID() {
		t.Fatalf("origin of a new record = %s, want who brought it", got)
	}
	home.put(t, a, rec)
	if got := originOf(); got != home.ID() {
		t.Errorf("origin of a record that its home brought = %s, want the home", got)
	}
	evil.put(t, a, rec)
	if got := originOf(); got != home.ID() {
		t.Errorf("origin of a record put again by another node = %s, want the home", got)
	}
}

// TestQuotaSurvivesRestart fills a quota, restarts the node on the same datastore and floods again.
func TestQuotaSurvivesRestart(t *testing.T) {
	a := startSmall(t, Limits{Records: 100, RecordsPerPeer: 10, RecordsPerAddr: 100})
	evil := startStranger(t, "/ip4/127.0.0.3/tcp/0", a)
	for range 10 {
		_, rec := fresh(t, evil.ID())
		evil.put(t, a, rec)
	}
	a.stop()
	l := quick()
	l.Records, l.RecordsPerPeer, l.RecordsPerAddr = 100, 10, 100
	a = startNodeWith(t, a.key, "/ip4/127.0.0.1/tcp/0", Config{Mesh: "farm", Datastore: a.ds, Limits: l})
	if err := evil.Connect(t.Context(), a.info()); err != nil {
		t.Fatal(err)
	}
	evil.s = nil
	if _, rec := fresh(t, evil.ID()); evil.put(t, a, rec) {
		t.Error("a node forgot over a restart whose records it stores")
	}
}

// TestUnknownFields has a peer hang a megabyte onto a record, in a field that no limit of the
// record counts.
func TestUnknownFields(t *testing.T) {
	a := startSmall(t, Limits{Records: 100, RecordsPerPeer: 10, RecordsPerAddr: 100})
	evil := startStranger(t, "/ip4/127.0.0.3/tcp/0", a)
	s, rec := fresh(t, evil.ID())
	raw := protowire.AppendTag(nil, 2000, protowire.BytesType)
	rec.ProtoReflect().SetUnknown(protowire.AppendBytes(raw, make([]byte, 1<<20)))
	evil.put(t, a, rec)
	served, err := a.reg.values.Get(t.Context(), Key(s.id))
	if err != nil || served == nil {
		t.Fatalf("the record is not stored: %v", err)
	}
	if got := len(served.ProtoReflect().GetUnknown()); got != 0 {
		t.Errorf("a record is served with %d bytes in unknown fields", got)
	}
	for key := range a.reg.store.quota.entries {
		if value, err := a.reg.store.Batching.Get(t.Context(), key); err != nil || len(value) > MaxValue+512 {
			t.Errorf("a record takes %d bytes on disk, %v", len(value), err)
		}
	}
}

// TestFarthestGivesWay checks which record makes room: of the origin with the most records the one
// farthest from this node's own key.
func TestFarthestGivesWay(t *testing.T) {
	self := testPeer(t, 1)
	q := newQuota(self, Limits{Records: 3, RecordsPerPeer: 3, RecordsPerAddr: 3})
	crowd, other := origin{testPeer(t, 2), "10.0.0.1/32"}, origin{testPeer(t, 3), "10.0.0.2/32"}
	var farthest datastore.Key
	for i := range byte(3) {
		key := datastore.NewKey(string('a' + rune(i)))
		q.add(key, []byte{i}, crowd)
		if e := q.entries[farthest]; e == nil || string(q.entries[key].far) > string(e.far) {
			farthest = key
		}
	}
	if _, err := q.admit(crowd); !errors.Is(err, errPeerQuota) {
		t.Errorf("admit of the crowd = %v, want %v", err, errPeerQuota)
	}
	if victim, err := q.admit(other); err != nil || victim != farthest {
		t.Errorf("admit of another node = %s, %v, want %s to give way", victim, err, farthest)
	}
	q.remove(farthest)
	q.add(datastore.NewKey("x"), []byte("x"), other)
	if victim, err := q.admit(other); !errors.Is(err, ErrFull) {
		t.Errorf("admit when all have the same = %s, %v, want %v", victim, err, ErrFull)
	}
}

func TestGroupOf(t *testing.T) {
	p, relay := testPeer(t, 1), testPeer(t, 2)
	for _, tt := range []struct {
		addr   string
		exempt bool
		want   string
	}{
		{"/ip4/192.0.2.7/tcp/1", false, "192.0.2.7/32"},
		{"/ip6/::ffff:192.0.2.7/tcp/1", false, "192.0.2.7/32"},
		{"/ip6/2001:db8:1:2ff::7/udp/1/quic-v1", false, "2001:db8:1:200::/56"},
		{"/ip4/127.0.0.1/tcp/1", false, "127.0.0.1/32"},
		{"/ip4/127.0.0.1/tcp/1", true, "node " + p.String()},
		{"/ip4/192.0.2.7/tcp/1", true, "192.0.2.7/32"},
		{"/ip4/192.0.2.7/tcp/1/p2p/" + relay.String() + "/p2p-circuit", true, "relay " + relay.String()},
	} {
		if got := groupOf(p, ma.StringCast(tt.addr), tt.exempt); got != tt.want {
			t.Errorf("groupOf(%s, exempt %t) = %q, want %q", tt.addr, tt.exempt, got, tt.want)
		}
	}
}
