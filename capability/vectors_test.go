package capability

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/edgeistry/edgeistry"
)

var update = flag.Bool("update", false, "write testdata/vectors.json and testdata/vectors.txt")

// vector is one line of vectors.txt: its kind, its name, and values that are all bytes.
type vector struct {
	kind, id string
	fields   []field
}

type field struct {
	name  string
	value []byte
}

// vectors collects what both files are written from.
type vectors struct{ list []vector }

// add takes names and values in turn. Values: bytes, uint8, uint16, uint32 (big-endian), string (its bytes), bool.
func (v *vectors) add(kind, id string, pairs ...any) {
	entry := vector{kind: kind, id: id}
	for i := 0; i < len(pairs); i += 2 {
		entry.fields = append(entry.fields, field{pairs[i].(string), vectorBytes(pairs[i+1])})
	}
	v.list = append(v.list, entry)
}

func vectorBytes(value any) []byte {
	switch x := value.(type) {
	case []byte:
		return x
	case Frame:
		return x
	case [4]byte:
		return x[:]
	case [8]byte:
		return x[:]
	case Identity:
		return x[:]
	case edgeistry.PeerKey:
		return x[:]
	case [12]byte:
		return x[:]
	case [16]byte:
		return x[:]
	case [32]byte:
		return x[:]
	case EpochKey:
		return x[:]
	case BranchKey:
		return x[:]
	case edgeistry.ServiceID:
		return x[:]
	case string:
		return []byte(x)
	case bool:
		if x {
			return []byte{1}
		}
		return []byte{0}
	case uint8:
		return []byte{x}
	case Reason:
		return []byte{byte(x)}
	case ConstraintType:
		return []byte{byte(x)}
	case Operations:
		return []byte{byte(x)}
	case uint16:
		return binary.BigEndian.AppendUint16(nil, x)
	case uint32:
		return binary.BigEndian.AppendUint32(nil, x)
	}
	panic(fmt.Sprintf("vector value of type %T", value))
}

const vectorsHead = `# Test vectors of docs/spec/capability.md and docs/spec/claim.md, for Go and C.
# Written by: go test ./capability -run TestVectors -update. The same content as JSON: vectors.json.
#
# A line is KIND ID name=hex name=hex ..., in the order shown; every value is bytes in hex, numbers are big-endian,
# names and texts are their ASCII bytes, and name= is no bytes. Lines that start with # and empty lines say nothing.
# README.md says what each kind means. A transcript is a line "guard" (or "claimable"), then its steps up to "end",
# in order, against one verifier. request and response there are whole CoAP messages as UDP or the serial link
# carries them.
`

func (v *vectors) text() []byte {
	var b bytes.Buffer
	b.WriteString(vectorsHead)
	last := ""
	for _, e := range v.list {
		if inTranscript := slices.Contains([]string{"step", "generation", "cell", "count", "epoch", "end"}, e.kind); e.kind != last && !inTranscript {
			b.WriteByte('\n')
		}
		last = e.kind
		b.WriteString(e.kind + " " + e.id)
		for _, f := range e.fields {
			fmt.Fprintf(&b, " %s=%x", f.name, f.value)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// json groups the vectors by kind; what stands between a guard and its end becomes the guard's steps.
func (v *vectors) json(t *testing.T) []byte {
	t.Helper()
	out := map[string][]map[string]any{}
	var open map[string]any
	for _, e := range v.list {
		m := map[string]any{"id": e.id}
		for _, f := range e.fields {
			m[f.name] = hex.EncodeToString(f.value)
		}
		switch e.kind {
		case "guard", "claimable":
			open = m
			open["steps"] = []map[string]any{}
			out[e.kind] = append(out[e.kind], m)
		case "end":
			open = nil
		default:
			if open == nil {
				out[e.kind] = append(out[e.kind], m)
				continue
			}
			m["kind"] = e.kind
			open["steps"] = append(open["steps"].([]map[string]any), m)
		}
	}
	b, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func TestVectors(t *testing.T) {
	v := &vectors{}
	keyVectors(t, v)
	tagVectors(t, v)
	proofVectors(t, v)
	evaluateVectors(t, v)
	policyVectors(t, v)
	tokenVectors(t, v)
	transcriptVectors(t, v)
	claimVectors(t, v)
	if t.Failed() {
		return // what the code gives is not what was expected by hand: do not write it down
	}
	for name, want := range map[string][]byte{"testdata/vectors.txt": v.text(), "testdata/vectors.json": v.json(t)} {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the code gives (first difference: %s); if the code is right, run with -update",
				name, firstDifference(string(got), string(want)))
		}
	}
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d: %.160s", i+1, b[i])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(a), len(b))
}

// What every vector stands on.

func testKey() EpochKey {
	var ke EpochKey
	for i := range ke {
		ke[i] = byte(i)
	}
	return ke
}

var testService = sync.OnceValue(func() edgeistry.ServiceID {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	return edgeistry.ServiceID(key.Public().(ed25519.PublicKey))
})

// bytesFor returns bytes that look random and are the same every time.
func bytesFor(label string, n int) []byte {
	sum := sha256.Sum256([]byte(label))
	return sum[:n]
}

func mustFrame(t testing.TB, s FrameSpec) Frame {
	t.Helper()
	f, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testChain is a capability of branch 3 with n frames.
func testChain(t testing.TB, n int) *Capability {
	t.Helper()
	frames := []Frame{
		mustFrame(t, FrameSpec{Grants: []Grant{{Operations: Read | Observe | Call, Prefix: true}}}),
		mustFrame(t, FrameSpec{Grants: []Grant{
			{Operations: Call, Name: "valve", Parts: []Limit{{Type: TypeBound, Bound: Bound{Width: 1, Max: 30}}}},
			{Operations: Read, Name: "temperature"},
		}}),
		mustFrame(t, FrameSpec{Limits: []Limit{{Type: TypeExpiry, Unix: 1_800_000_000}}}),
		mustFrame(t, FrameSpec{Limits: []Limit{{Type: TypeHold, Hold: 50}, {Type: TypeSalt, Salt: [4]byte{1, 2, 3, 4}}}}),
	}
	h := Header{Branch: 3, Epoch: 1, Generation: 2, Nonce: [4]byte{0xa1, 0xa2, 0xa3, 0xa4}}
	c, err := Mint(testService(), testKey().Branch(1, 3, 2), h, frames[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range frames[1:n] {
		if c, err = c.extend(f); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func keyVectors(t *testing.T, v *vectors) {
	ke := testKey()
	for _, b := range []struct {
		epoch              uint16
		branch, generation uint8
	}{{1, 0, 0}, {1, 3, 2}, {1, 15, 0}, {2, 3, 2}, {65535, 15, 255}} {
		v.add("branch", fmt.Sprintf("epoch%d-branch%d-generation%d", b.epoch, b.branch, b.generation),
			"ke", ke, "epoch", b.epoch, "branch", b.branch, "generation", b.generation, "kb", ke.Branch(b.epoch, b.branch, b.generation))
	}
	owner := Owner(testService(), ke, 1)
	v.add("chain", "owner", "kb", ke.Branch(1, 0, 0), "carried", owner.Carried(), "k0", owner.key)
	for n := 1; n <= MaxFrames; n++ {
		c := testChain(t, n)
		pairs := []any{"kb", ke.Branch(1, 3, 2), "carried", c.Carried()}
		for i := 1; i <= n; i++ {
			pairs = append(pairs, fmt.Sprintf("k%d", i-1), testChain(t, i).key)
		}
		v.add("chain", fmt.Sprintf("frames%d", n), pairs...)
	}
	nonce := [nonceSize]byte(bytesFor("nonce", nonceSize))
	header := testChain(t, 1).Header.encode()
	for _, c := range []struct{ boot, tick uint32 }{{1, 0}, {7, 1000}, {0xfffffffe, 0xffffffff}} {
		key := ke.CookieKey(c.boot)
		mac := cookieMAC(key, c.boot, c.tick, nonce, header)
		cookie := append(pair(c.boot, c.tick), mac[:]...)
		id := fmt.Sprintf("boot%d", c.boot)
		v.add("cookie", id, "ke", ke, "boot", c.boot, "tick", c.tick, "nonce", nonce, "header", header, "key", key, "cookie", cookie)
		for n := 1; n <= MaxFrames; n++ {
			chain := testChain(t, n)
			ks := sessionKey(chain.key, nonce, [cookieSize]byte(cookie))
			v.add("session", fmt.Sprintf("%s-frames%d", id, n), "k", chain.key, "nonce", nonce, "cookie", cookie, "ks", ks,
				"carried", chain.Carried(), "digest", newTagger(ks).digest(newMAC(), chain.Carried()))
		}
	}
}
