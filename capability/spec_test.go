package capability

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeistry/edgeistry/coap"
)

func specText(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../docs/spec/capability.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The reasons' codes are those of the table in the specification.
func TestReasonsAreTheSpecs(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^\| (\d+) \| (\d)\.(\d\d) \| (?:yes|no|if protected) \|`).FindAllStringSubmatch(specText(t), -1)
	if len(rows) != int(ReasonDenyListed) {
		t.Fatalf("the specification has %d reasons, this package %d", len(rows), ReasonDenyListed)
	}
	for _, row := range rows {
		n, _ := strconv.Atoi(row[1])
		class, _ := strconv.Atoi(row[2])
		detail, _ := strconv.Atoi(row[3])
		r := Reason(n)
		if want := uint8(class<<5 | detail); r.Code() != want {
			t.Errorf("reason %d: code %s, the specification has %s", n, coap.CodeText(r.Code()), coap.CodeText(want))
		}
		if strings.HasPrefix(r.String(), "reason") {
			t.Errorf("reason %d has no text", n)
		}
		m := Refusal(r)
		if m.Code != r.Code() || len(m.Payload) != 1 || m.Payload[0] != byte(n) {
			t.Errorf("Refusal(%d) = %+v", n, m)
		}
		if age, ok := m.GetUint(coap.OptionMaxAge); ok != (r == ReasonNoRoom) || ok && age != 2 {
			t.Errorf("Refusal(%d): Max-Age %d, %v", n, age, ok)
		}
	}
	if r := Reason(200); r.Code() != coap.CodeInternal || r.String() != "reason 200" {
		t.Errorf("Reason(200): %s %q", coap.CodeText(r.Code()), r)
	}
}

// The labels are those of the table, and no two purposes share one.
func TestLabelsAreTheSpecs(t *testing.T) {
	ours := map[string]byte{
		"ROOT": labelRoot, "HEAD": labelHead, "FRAME": labelFrame, "SESS": labelSession, "REQ": labelRequest, "RSP": labelResponse,
		"COOKIE": labelCookie, "COOKIEKEY": labelCookieKey, "FACTORY": labelFactory, "CLAIMNONCE": labelClaimNonce,
		"CLAIM": labelClaim, "CONFIRMO": labelConfirmO, "CONFIRMD": labelConfirmD, "FRAMES": labelFrames,
		"ENC": labelPrivacy, "RATCHET": labelRatchet, "VID": labelVID, "BIND": labelBind, "DISCHARGE": labelDischarge, "JOIN": labelJoin, "PAD": labelPad,
	}
	rows := regexp.MustCompile(`(?m)^\| ([A-Z]+) \| ([0-9A-F]{2}) \|`).FindAllStringSubmatch(specText(t), -1)
	seen := map[string]string{}
	for _, row := range rows {
		if other, twice := seen[row[2]]; twice {
			t.Errorf("label %s is that of %s and of %s", row[2], other, row[1])
		}
		seen[row[2]] = row[1]
		if label, used := ours[row[1]]; used {
			if want := fmt.Sprintf("%02X", label); row[2] != want {
				t.Errorf("label of %s is %s, the specification has %s", row[1], want, row[2])
			}
			delete(ours, row[1])
		}
	}
	if len(ours) > 0 {
		t.Errorf("labels that the specification does not have: %v", ours)
	}
}

// This package is the part to prove right: it must stay free of hosts, networks, disks and clocks of its own.
func TestImports(t *testing.T) {
	allowed := []string{
		"crypto/hmac", "crypto/sha256", "crypto/subtle", "encoding", "encoding/base32", "encoding/base64", "encoding/binary", "encoding/hex", "errors", "fmt",
		"bytes", "crypto/ed25519", "hash", "io", "math", "github.com/edgeistry/edgeistry/capability/internal/ascon", "slices", "strconv", "strings", "sync", "time", "unicode", "github.com/edgeistry/edgeistry", "github.com/edgeistry/edgeistry/coap", "github.com/edgeistry/edgeistry/capability/program",
		"github.com/multiformats/go-multibase",
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), source, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", e.Name(), path)
			}
		}
		for _, clock := range []string{"time.Now()", "time.Since(", "time.Sleep("} {
			if code := regexp.MustCompile(`(?m)//.*$`).ReplaceAllString(string(source), ""); strings.Contains(code, clock) {
				t.Errorf("%s has a clock of its own: %s", e.Name(), clock)
			}
		}
	}
}
