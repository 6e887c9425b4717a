package edgeistry

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multibase"
)

func TestServiceIDTextRoundTrip(t *testing.T) {
	for range 100 {
		pub, _, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		id := ServiceID(pub)
		text := id.String()
		if !strings.HasPrefix(text, "k51") {
			t.Fatalf("String() = %q, want k51...", text)
		}
		got, err := ParseServiceID(text)
		if err != nil || got != id {
			t.Fatalf("ParseServiceID(%q) = %v, %v, want the same ID", text, got, err)
		}
	}
}

func TestParseServiceIDRefuses(t *testing.T) {
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := ServiceID(pub).String()
	for _, text := range []string{"", "k", "k51", good[:len(good)-1], good + "0", strings.ToUpper(good), "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", strings.Repeat("k", 1000)} {
		if id, err := ParseServiceID(text); err == nil {
			t.Errorf("ParseServiceID(%.80q) = %v, want an error", text, id)
		}
	}
}

// libp2pServiceID reads a service ID with libp2p's own decoder: the form is libp2p's, so both must agree on every text.
func libp2pServiceID(text string) (ServiceID, bool) {
	if len(text) > MaxServiceIDText || !strings.HasPrefix(text, "k") {
		return ServiceID{}, false
	}
	p, err := peer.Decode(text)
	if err != nil {
		return ServiceID{}, false
	}
	pub, err := p.ExtractPublicKey()
	if err != nil || pub.Type() != crypto.Ed25519 {
		return ServiceID{}, false
	}
	raw, err := pub.Raw()
	if err != nil || peer.ToCid(p).Encode(multibase.MustNewEncoder(multibase.Base36)) != text {
		return ServiceID{}, false
	}
	canonical, err := peer.IDFromPublicKey(pub)
	return ServiceID(raw), err == nil && canonical == p
}

func sameAsLibp2p(t *testing.T, text string) {
	t.Helper()
	got, err := ParseServiceID(text)
	want, ok := libp2pServiceID(text)
	if (err == nil) != ok || ok && got != want {
		t.Errorf("ParseServiceID(%q) = %x, %v; libp2p reads %x, %v", text, got[:], err, want[:], ok)
	}
}

// TestServiceIDIsLibp2ps: the root package decodes by itself, so that it needs no libp2p, and agrees with it on every text.
func TestServiceIDIsLibp2ps(t *testing.T) {
	cid := func(b ...byte) string {
		text, err := multibase.Encode(multibase.Base36, b)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	key := bytes.Repeat([]byte{7}, 32)
	proto := append([]byte{0x08, 0x01, 0x12, 0x20}, key...)
	with := func(head ...byte) []byte { return append(head, proto...) }
	good := cid(with(1, 0x72, 0, 36)...)
	for name, text := range map[string]string{
		"good":                          good,
		"zero key":                      ServiceID{}.String(),
		"all ones":                      ServiceID(bytes.Repeat([]byte{0xff}, 32)).String(),
		"version 0":                     cid(with(0, 0x72, 0, 36)...),
		"version 2":                     cid(with(2, 0x72, 0, 36)...),
		"version in two bytes":          cid(with(0x81, 0, 0x72, 0, 36)...),
		"codec raw":                     cid(with(1, 0x55, 0, 36)...),
		"codec in two bytes":            cid(with(1, 0xf2, 0, 0, 36)...),
		"hash sha2-256":                 cid(append([]byte{1, 0x72, 0x12, 32}, key...)...),
		"length one less":               cid(with(1, 0x72, 0, 35)...),
		"length one more":               cid(append(with(1, 0x72, 0, 37), 0)...),
		"trailing byte":                 cid(append(with(1, 0x72, 0, 36), 0)...),
		"cut short":                     cid(with(1, 0x72, 0, 36)[:39]...),
		"secp256k1":                     cid(append([]byte{1, 0x72, 0, 36, 0x08, 0x02, 0x12, 0x20}, key...)...),
		"fields in the other order":     cid(append(append([]byte{1, 0x72, 0, 36, 0x12, 0x20}, key...), 0x08, 0x01)...),
		"field twice":                   cid(append([]byte{1, 0x72, 0, 38, 0x08, 0x01, 0x08, 0x01, 0x12, 0x20}, key...)...),
		"unknown field":                 cid(append(with(1, 0x72, 0, 38), 0x18, 0x01)...),
		"key of 31 bytes":               cid(append([]byte{1, 0x72, 0, 35, 0x08, 0x01, 0x12, 0x1f}, key[:31]...)...),
		"key of 33 bytes":               cid(append([]byte{1, 0x72, 0, 37, 0x08, 0x01, 0x12, 0x21}, append(key, 1)...)...),
		"leading zero digit":            "k0" + good[1:],
		"upper case digits":             "k" + strings.ToUpper(good[1:]),
		"upper case mark":               "K" + good[1:],
		"one digit in upper case":       good[:10] + strings.ToUpper(good[10:11]) + good[11:],
		"no digit":                      good[:10] + "-" + good[11:],
		"not ASCII":                     good[:10] + "\u00e9" + good[11:],
		"not UTF-8":                     good[:10] + "\xff" + good[11:],
		"a line break behind":           good + "\n",
		"base58 peer ID":                "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
		"base32 of the same":            "bafzaajaiaejcabyhb4dqobyhb4dqobyhb4dqobyhb4dqobyhb4dqobyhb4dqobyhb4dqobyhb4d",
		"empty":                         "",
		"mark alone":                    "k",
		"two characters":                "k5",
		"zeros":                         "k" + strings.Repeat("0", 60),
		"as long as may be":             "k" + strings.Repeat("z", MaxServiceIDText-1),
		"longer than may be":            "k" + strings.Repeat("z", MaxServiceIDText),
		"the mark of another base (z)":  "z" + good[1:],
		"the example of docs and tests": "k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8",
	} {
		t.Run(name, func(t *testing.T) { sameAsLibp2p(t, text) })
	}
	if id, err := ParseServiceID(good); err != nil || !bytes.Equal(id[:], key) {
		t.Errorf("ParseServiceID(%q) = %x, %v", good, id[:], err)
	}
	random := rand.Reader
	for range 200 {
		pub, _, err := ed25519.GenerateKey(random)
		if err != nil {
			t.Fatal(err)
		}
		text := ServiceID(pub).String()
		sameAsLibp2p(t, text)
		for at := range text {
			sameAsLibp2p(t, text[:at]+string(text[at]+1)+text[at+1:])
		}
	}
}

func FuzzParseServiceID(f *testing.F) {
	f.Add("k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8")
	f.Fuzz(func(t *testing.T, text string) {
		sameAsLibp2p(t, text)
		id, err := ParseServiceID(text)
		if err == nil && id.String() != text {
			t.Fatalf("%q parses but prints as %q", text, id)
		}
	})
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{"temperature": true, "a": true, "a.b-c_9": true, "": false, ".a": false, "A": false, "a/b": false, strings.Repeat("a", 32): false, strings.Repeat("a", 31): true} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v, want ok %v", name, err, ok)
		}
	}
}
