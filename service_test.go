package edgeistry

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"
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

func FuzzParseServiceID(f *testing.F) {
	f.Add("k51qzi5uqu5dlvj2baxnqndepeb86cbk3ng7n3i46uzyxzyqj2xjonzllnv0v8")
	f.Fuzz(func(t *testing.T, text string) {
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
