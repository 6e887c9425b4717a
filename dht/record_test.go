package dht

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/record"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// service is a service with its key, from a seed.
type service struct {
	key crypto.PrivKey
	id  edgeistry.ServiceID
}

func newService(t testing.TB, seed byte) service {
	t.Helper()
	key, pub, err := crypto.GenerateEd25519Key(bytes.NewReader(bytes.Repeat([]byte{seed}, 64)))
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
	return service{key, id}
}

func testPeer(t testing.TB, seed byte) peer.ID {
	t.Helper()
	id, err := peer.IDFromPublicKey(newService(t, seed).key.GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// record returns a record with every field in use.
func (s service) record(t testing.TB) Record {
	t.Helper()
	relay := testPeer(t, 101)
	return Record{
		Service:   s.id,
		Sequence:  7,
		NotBefore: noon,
		Expiry:    noon.Add(24 * time.Hour),
		Homes: []peer.AddrInfo{
			{ID: testPeer(t, 102), Addrs: []ma.Multiaddr{
				ma.StringCast("/ip4/192.168.1.7/tcp/7776"),
				ma.StringCast("/dns4/relay.example/tcp/7776/p2p/" + relay.String() + "/p2p-circuit"),
			}},
			{ID: testPeer(t, 103)},
		},
		Manifest: edgeistry.Manifest{
			Board: "ATmega328P", Firmware: "greenhouse 1.0",
			Logs:      []edgeistry.LogInfo{{Name: "temperature", Period: 10, Size: 2}, {Name: "events"}},
			Functions: []edgeistry.FunctionInfo{{Name: "valve", Argument: "u8:0..100"}},
		},
		Duty:   &Duty{Period: time.Hour, Window: 30 * time.Second, NextWake: noon.Add(time.Minute)},
		MaxAge: 10 * time.Second,
	}
}

func (s service) seal(t testing.TB, rec Record) []byte {
	t.Helper()
	value, err := Seal(s.key, rec)
	if err != nil {
		t.Fatalf("Seal: %v", err)
	}
	return value
}

// sealPayload signs any bytes as if they were a record.
func (s service) sealPayload(t testing.TB, payload []byte) []byte {
	t.Helper()
	envelope, err := record.Seal(&sealed{payload: payload}, s.key)
	if err != nil {
		t.Fatal(err)
	}
	value, err := envelope.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestSealOpen(t *testing.T) {
	s := newService(t, 1)
	full := s.record(t)
	least := Record{Service: s.id, Sequence: 1, NotBefore: noon, Expiry: noon.Add(time.Second), Homes: []peer.AddrInfo{{ID: testPeer(t, 2)}}}
	for name, want := range map[string]Record{"full": full, "least": least} {
		t.Run(name, func(t *testing.T) {
			value := s.seal(t, want)
			t.Logf("%d bytes", len(value))
			got, err := Open(Key(s.id), value, noon)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			if fmt.Sprint(got.Homes) != fmt.Sprint(want.Homes) || !got.NotBefore.Equal(want.NotBefore) || !got.Expiry.Equal(want.Expiry) ||
				(want.Duty != nil && !got.Duty.NextWake.Equal(want.Duty.NextWake)) {
				t.Errorf("Open = %+v, want %+v", got, want)
			}
			if !reflect.DeepEqual(got.Manifest, want.Manifest) || got.MaxAge != want.MaxAge || got.Sequence != want.Sequence || got.Service != want.Service {
				t.Errorf("Open = %+v, want %+v", got, want)
			}
			if !bytes.Equal(s.seal(t, got), value) {
				t.Error("sealing what was opened gives other bytes")
			}
		})
	}
}

func TestKey(t *testing.T) {
	s := newService(t, 1)
	if got, err := ServiceOf(Key(s.id)); err != nil || got != s.id {
		t.Errorf("ServiceOf(Key) = %v, %v", got, err)
	}
	if want := "/edg/"; !strings.HasPrefix(Key(s.id), want) || len(Key(s.id)) != len(want)+32 {
		t.Errorf("Key = %q", Key(s.id))
	}
}

// plain returns a record's CBOR map, for tests that change one thing in it.
func plain(t testing.TB, rec Record) map[int]any {
	t.Helper()
	payload, err := encodePayload(rec)
	if err != nil {
		t.Fatal(err)
	}
	var m map[int]any
	if err := cbor.Unmarshal(payload[1:], &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func payloadOf(t testing.TB, v any) []byte {
	t.Helper()
	body, err := encMode.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{recordVersion}, body...)
}

// TestBadRecords has a record for each thing that can be wrong. All but the forged ones carry a
// good signature: what refuses them is the check that they name.
func TestBadRecords(t *testing.T) {
	s, stranger := newService(t, 1), newService(t, 9)
	good := s.seal(t, s.record(t))
	rec := s.record(t)
	with := func(key int, value any) []byte {
		m := plain(t, rec)
		m[key] = value
		return s.sealPayload(t, payloadOf(t, m))
	}
	without := func(key int) []byte {
		m := plain(t, rec)
		delete(m, key)
		return s.sealPayload(t, payloadOf(t, m))
	}
	payload, err := encodePayload(rec)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(body []byte) []byte { return s.sealPayload(t, body) }
	home := func(id []byte, addrs ...[]byte) any {
		list := make([]any, 0, len(addrs))
		for _, a := range addrs {
			list = append(list, a)
		}
		return []any{id, list}
	}
	id := []byte(testPeer(t, 102))
	addr := ma.StringCast("/ip4/192.168.1.7/tcp/7776").Bytes()
	homes := func(n int) (list []any) {
		for i := range n {
			list = append(list, home([]byte(testPeer(t, byte(110+i))), addr))
		}
		return list
	}
	repeat := func(n int, v any) (list []any) {
		for range n {
			list = append(list, v)
		}
		return list
	}
	logs := func(n int) (list []any) {
		for i := range n {
			list = append(list, []any{fmt.Sprintf("log%d", i), 1, 1})
		}
		return list
	}
	flip := func(b []byte, i int) []byte {
		b = slices.Clone(b)
		b[i] ^= 1
		return b
	}
	foreign := func(change func(*sealedAs)) []byte {
		box := &sealedAs{payload: payload, domain: envelopeDomain, codec: payloadType}
		change(box)
		envelope, err := record.Seal(box, s.key)
		if err != nil {
			t.Fatal(err)
		}
		value, err := envelope.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}

	tests := []struct {
		name  string
		key   string
		value []byte
		want  error
	}{
		{"oversized", "", make([]byte, MaxValue+1), ErrOversized},
		{"oversized and otherwise good", "", append(slices.Clone(good), make([]byte, MaxValue)...), ErrOversized},
		{"empty", "", nil, ErrEnvelope},
		{"junk", "", []byte("no envelope"), ErrEnvelope},
		{"cut", "", good[:len(good)-1], ErrEnvelope},
		{"bytes after the envelope", "", append(slices.Clone(good), 0x32, 0x01, 0x00), ErrEnvelope},
		{"field of the envelope twice", "", append(slices.Clone(good), 0x12, 4, 'e', 'd', 'g', 1), ErrEnvelope},
		{"another key's name", Key(stranger.id), good, ErrSigner},
		{"signed by another key", "", stranger.sealPayload(t, payload), ErrSigner},
		{"signature flipped", "", flip(good, len(good)-1), ErrSignature},
		{"payload flipped", "", flip(good, bytes.Index(good, []byte("temperature"))), ErrSignature},
		{"wrong domain", "", foreign(func(b *sealedAs) { b.domain = "libp2p-peer-record" }), ErrSignature},
		{"wrong payload type", "", foreign(func(b *sealedAs) { b.codec = []byte{'e', 'd', 'g', 2} }), ErrPayloadType},
		{"not a record key", "/edg/short", good, ErrKey},
		{"another namespace", "/pk/" + string(s.id[:]), good, ErrKey},
		{"no payload", "", raw([]byte{}), ErrVersion},
		{"version 2", "", raw(append([]byte{2}, payload[1:]...)), ErrVersion},
		{"no CBOR", "", raw([]byte{recordVersion, 0xff}), ErrEncoding},
		{"only the version", "", raw([]byte{recordVersion}), ErrEncoding},
		{"not a map", "", raw(payloadOf(t, []int{1, 2})), ErrEncoding},
		{"bytes after the map", "", raw(append(slices.Clone(payload), 0)), ErrEncoding},
		{"unknown key", "", with(9, 1), ErrUnknownKey},
		{"text key", "", raw(append([]byte{recordVersion, payload[1] + 1}, append(slices.Clone(payload[2:]), 0x61, 'x', 0)...)), ErrUnknownKey},
		{"repeated key", "", raw(append([]byte{recordVersion, payload[1] + 1}, append(slices.Clone(payload[2:]), 0x08, 0x0a)...)), ErrDuplicateKey},
		{"map without end mark", "", raw(append([]byte{recordVersion, 0xbf}, append(slices.Clone(payload[2:]), 0xff)...)), ErrEncoding},
		{"keys out of order", "", raw(swapFirstKeys(t, payload)), ErrEncoding},
		{"long integer", "", raw(bytes.Replace(payload, []byte{0x02, 0x07}, []byte{0x02, 0x18, 0x07}, 1)), ErrEncoding},
		{"tag", "", with(2, cbor.Tag{Number: 1, Content: 7}), ErrEncoding},
		{"null sequence", "", with(2, nil), ErrEncoding},
		{"negative sequence", "", with(2, -1), ErrEncoding},
		{"text sequence", "", with(2, "7"), ErrEncoding},
		{"float sequence", "", with(2, 7.5), ErrEncoding},
		{"no service", "", without(1), ErrEncoding},
		{"short service", "", with(1, s.id[:31]), ErrField},
		{"another service inside", "", with(1, stranger.id[:]), ErrField},
		{"sequence 0", "", with(2, 0), ErrField},
		{"sequence too high", "", with(2, uint64(MaxSequence)+1), ErrField},
		{"expiry at not before", "", with(4, noon.Unix()), ErrField},
		{"valid too long", "", with(4, noon.Add(MaxValidity+time.Second).Unix()), ErrField},
		{"time far away", "", with(3, uint64(1)<<40), ErrField},
		{"expiry overflows", "", with(4, uint64(1)<<63), ErrField},
		{"no homes", "", with(5, []any{}), ErrField},
		{"too many homes", "", with(5, homes(MaxHomes+1)), ErrField},
		{"one home twice", "", with(5, repeat(2, home(id, addr))), ErrField},
		{"too many homes for the decoder", "", with(5, homes(17)), ErrEncoding},
		{"home is no pair", "", with(5, []any{[]any{id}}), ErrEncoding},
		{"no peer ID", "", with(5, []any{home([]byte{}, addr)}), ErrField},
		{"bad peer ID", "", with(5, []any{home([]byte("not a multihash"), addr)}), ErrField},
		{"long peer ID", "", with(5, []any{home(bytes.Repeat([]byte{1}, maxPeerID+1), addr)}), ErrField},
		{"too many addresses", "", with(5, []any{home(id, slices.Repeat([][]byte{addr}, MaxAddrs+1)...)}), ErrField},
		{"long address", "", with(5, []any{home(id, ma.StringCast("/dns4/"+strings.Repeat("a", MaxAddr)).Bytes())}), ErrField},
		{"bad address", "", with(5, []any{home(id, []byte{0xff, 0xff})}), ErrField},
		{"empty address", "", with(5, []any{home(id, []byte{})}), ErrField},
		{"unknown key in manifest", "", with(6, map[int]any{5: 1}), ErrUnknownKey},
		{"long board", "", with(6, map[int]any{1: strings.Repeat("b", MaxText+1)}), ErrField},
		{"terminal escape in firmware", "", with(6, map[int]any{2: "\x1b[2J"}), ErrField},
		{"invalid UTF-8", "", raw(bytes.Replace(payload, []byte("greenhouse"), []byte("\xffreenhouse"), 1)), ErrEncoding},
		{"too many logs", "", with(6, map[int]any{3: logs(MaxLogs + 1)}), ErrEncoding},
		{"log twice", "", with(6, map[int]any{3: repeat(2, []any{"a", 1, 1})}), ErrField},
		{"bad log name", "", with(6, map[int]any{3: []any{[]any{"../x", 1, 1}}}), ErrField},
		{"function twice", "", with(6, map[int]any{4: repeat(2, []any{"a", ""})}), ErrField},
		{"bad function name", "", with(6, map[int]any{4: []any{[]any{"", ""}}}), ErrField},
		{"long argument", "", with(6, map[int]any{4: []any{[]any{"a", strings.Repeat("u", MaxText+1)}}}), ErrField},
		{"nested too deep", "", with(6, map[int]any{3: []any{[]any{"a", []any{[]any{1}}, 1}}}), ErrEncoding},
		{"window longer than period", "", with(7, []any{10, 11, noon.Unix()}), ErrField},
		{"no window", "", with(7, []any{10, 0, noon.Unix()}), ErrField},
		{"wake overflows", "", with(7, []any{10, 1, uint64(1) << 63}), ErrField},
		{"null duty", "", with(7, nil), ErrEncoding},
		{"no max-age", "", without(8), ErrEncoding},
		{"long max-age", "", with(8, uint64(1)<<33), ErrEncoding},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			key := test.key
			if key == "" {
				key = Key(s.id)
			}
			if got, err := Open(key, test.value, noon); !errors.Is(err, test.want) {
				t.Errorf("Open = %v, %v, want %v", got, err, test.want)
			}
			validator := Validator{Now: func() time.Time { return noon }}
			if err := validator.Validate(key, test.value); !errors.Is(err, test.want) {
				t.Errorf("Validate = %v, want %v", err, test.want)
			}
		})
	}
	if _, err := Open(Key(s.id), good, noon); err != nil {
		t.Errorf("the record that all the bad ones are made from: %v", err)
	}
}

// sealedAs is sealed with a domain and type of the test's choice.
type sealedAs struct {
	payload, codec []byte
	domain         string
}

func (s *sealedAs) Domain() string                 { return s.domain }
func (s *sealedAs) Codec() []byte                  { return s.codec }
func (s *sealedAs) MarshalRecord() ([]byte, error) { return s.payload, nil }
func (s *sealedAs) UnmarshalRecord([]byte) error   { return nil }

// swapFirstKeys puts key 2 before key 1.
func swapFirstKeys(t testing.TB, payload []byte) []byte {
	t.Helper()
	const first = 1 + 2 + 32 // key, head of the byte string, service
	second := []byte{0x02, 0x07}
	if !bytes.Equal(payload[2+first:][:2], second) {
		t.Fatalf("payload %x does not start with service and sequence 7", payload)
	}
	return slices.Concat(payload[:2], second, payload[2:2+first], payload[2+first+2:])
}

func TestTimes(t *testing.T) {
	s := newService(t, 1)
	value := s.seal(t, s.record(t)) // from noon, for 24 h
	for _, test := range []struct {
		at   time.Duration
		want error
	}{
		{-MaxSkew - time.Second, ErrNotYetValid},
		{-MaxSkew, nil},
		{0, nil},
		{24*time.Hour - time.Second, nil},
		{24 * time.Hour, ErrExpired},
		{1000 * time.Hour, ErrExpired},
	} {
		if _, err := Open(Key(s.id), value, noon.Add(test.at)); !errors.Is(err, test.want) {
			t.Errorf("Open at %s = %v, want %v", test.at, err, test.want)
		}
	}
}

func TestSealRefuses(t *testing.T) {
	s := newService(t, 1)
	if _, err := Seal(newService(t, 2).key, s.record(t)); !errors.Is(err, ErrSigner) {
		t.Errorf("Seal with another key = %v, want %v", err, ErrSigner)
	}
	rsa, _, err := crypto.GenerateECDSAKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Seal(rsa, s.record(t)); !errors.Is(err, ErrSigner) {
		t.Errorf("Seal with a key of another type = %v, want %v", err, ErrSigner)
	}
	big := s.record(t)
	for i := range MaxHomes {
		home := peer.AddrInfo{ID: testPeer(t, byte(120+i))}
		for j := range MaxAddrs {
			home.Addrs = append(home.Addrs, ma.StringCast(fmt.Sprintf("/dns4/%s%d/tcp/1", strings.Repeat("a", 200), j)))
		}
		big.Homes = append(big.Homes[:i], home)
	}
	if _, err := Seal(s.key, big); !errors.Is(err, ErrOversized) {
		t.Errorf("Seal of a large record = %v, want %v", err, ErrOversized)
	}
	for name, change := range map[string]func(*Record){
		"no sequence":  func(r *Record) { r.Sequence = 0 },
		"no homes":     func(r *Record) { r.Homes = nil },
		"zero times":   func(r *Record) { r.NotBefore, r.Expiry = time.Time{}, time.Time{} },
		"negative age": func(r *Record) { r.MaxAge = -time.Second },
		"bad log name": func(r *Record) { r.Manifest.Logs = []edgeistry.LogInfo{{Name: "A"}} },
		"empty home":   func(r *Record) { r.Homes = []peer.AddrInfo{{}} },
		"nil address":  func(r *Record) { r.Homes[0].Addrs = []ma.Multiaddr{nil} },
	} {
		rec := s.record(t)
		change(&rec)
		if _, err := Seal(s.key, rec); !errors.Is(err, ErrField) {
			t.Errorf("Seal with %s = %v, want %v", name, err, ErrField)
		}
	}
}

func TestSelect(t *testing.T) {
	s := newService(t, 1)
	v := Validator{Now: func() time.Time { return noon }}
	make := func(sequence uint64, hours int, age time.Duration) []byte {
		rec := s.record(t)
		rec.Sequence, rec.Expiry, rec.MaxAge = sequence, noon.Add(time.Duration(hours)*time.Hour), age
		return s.seal(t, rec)
	}
	low, high, longer, twin := make(6, 40, 0), make(7, 20, 0), make(7, 21, 0), make(7, 21, time.Second)
	if bytes.Compare(longer, twin) > 0 {
		longer, twin = twin, longer
	}
	expired := s.record(t)
	expired.Sequence, expired.NotBefore, expired.Expiry = 99, noon.Add(-time.Hour), noon
	stale := s.seal(t, expired)
	for _, test := range []struct {
		name   string
		values [][]byte
		want   int
	}{
		{"higher sequence", [][]byte{low, high}, 1},
		{"higher sequence first", [][]byte{high, low}, 0},
		{"later expiry", [][]byte{high, longer}, 1},
		{"later expiry first", [][]byte{longer, high}, 0},
		{"larger bytes", [][]byte{longer, twin}, 1},
		{"larger bytes first", [][]byte{twin, longer}, 0},
		{"same", [][]byte{high, high}, 0},
		{"bad ones do not take part", [][]byte{stale, []byte("junk"), low}, 2},
	} {
		if got, err := v.Select(Key(s.id), test.values); err != nil || got != test.want {
			t.Errorf("%s: Select = %d, %v, want %d", test.name, got, err, test.want)
		}
	}
	for _, values := range [][][]byte{nil, {stale}} {
		if _, err := v.Select(Key(s.id), values); err == nil {
			t.Errorf("Select from %d bad values gives one", len(values))
		}
	}
}

// TestVector pins the encoding: a change of these bytes is a new version of the record.
func TestVector(t *testing.T) {
	s := newService(t, 1)
	payload, err := encodePayload(s.record(t))
	if err != nil {
		t.Fatal(err)
	}
	got := hex.EncodeToString(payload)
	if got != vector {
		t.Errorf("payload\n got %s\nwant %s", got, vector)
	}
}

func TestCheckMesh(t *testing.T) {
	for name, ok := range map[string]bool{
		"farm": true, "a": true, "site-2": true, "0": true, strings.Repeat("a", MaxMesh): true,
		"": false, "Farm": false, "-a": false, "a-": false, "a/b": false, "a b": false, "ä": false, "a.b": false, strings.Repeat("a", MaxMesh+1): false,
	} {
		if got := CheckMesh(name) == nil; got != ok {
			t.Errorf("CheckMesh(%q) ok = %t, want %t", name, got, ok)
		}
	}
}

// FuzzOpen feeds any bytes. What opens must seal to the same bytes again, when signed by the same
// key.
func FuzzOpen(f *testing.F) {
	s := newService(f, 1)
	good := s.seal(f, s.record(f))
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		rec, err := Open(Key(s.id), value, noon)
		if err != nil {
			return
		}
		if !bytes.Equal(s.seal(t, rec), value) {
			t.Errorf("%x opens and seals to other bytes", value)
		}
	})
}

// FuzzPayload fuzzes what stands behind the signature.
func FuzzPayload(f *testing.F) {
	s := newService(f, 1)
	payload, err := encodePayload(s.record(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	m := plain(f, s.record(f))
	for key := range maps.Keys(m) {
		less := maps.Clone(m)
		delete(less, key)
		f.Add(payloadOf(f, less))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > MaxValue {
			return
		}
		rec, err := decodePayload(payload)
		if err != nil {
			return
		}
		again, err := encodePayload(rec)
		if err != nil || !bytes.Equal(again, payload) {
			t.Errorf("%x decodes and encodes to %x, %v", payload, again, err)
		}
	})
}

// vector is the payload of record with the service key made of 32 bytes 01.
const vector = "" +
	"01a80158208a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c0207031a6b02d940041a6b" +
	"042ac0058282582600240801122034b4d9043156cb6dcf0beb0a2949b7559c940d2bcb6dbe8c53a9b30278e3a7468248" +
	"04c0a80107061e60583d360d72656c61792e6578616d706c65061e60a50326002408011220d62f016a1efd1e4fdf793e" +
	"b42cd84471e1ba9f0cf04d1287b5cc71f616287cb8a20282582600240801122012a41592c8b7c17d4059e7b29b61e8ff" +
	"96c7415f2f803348f2f017e05b9ea1da8006a4016a41546d65676133323850026e677265656e686f75736520312e3003" +
	"82836b74656d70657261747572650a0283666576656e747300000481826576616c76656975383a302e2e313030078319" +
	"0e10181e1a6b02d97c080a"
