package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/internal/atomicfile"
	"github.com/edgeistry/edgeistry/node/config"
)

func newState(t *testing.T) *State {
	t.Helper()
	h, err := Init(filepath.Join(t.TempDir(), "home"), config.Default())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestInitOpen(t *testing.T) {
	h := newState(t)
	again, err := Open(h.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if again.PeerID() != h.PeerID() || again.Keys.Own().ID != h.Keys.Own().ID {
		t.Errorf("Open gives another identity than Init")
	}
	if c, err := again.Keychain.Get(OwnCapability); err != nil || c.Service != h.Keys.Own().ID {
		t.Errorf("Capability(%q) = %v, %v, want the owner's", OwnCapability, c, err)
	}
	if _, err := Init(h.Dir(), config.Default()); !errors.Is(err, ErrExists) {
		t.Errorf("second Init = %v, want ErrExists", err)
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrNoState) {
		t.Errorf("Open of an empty directory = %v, want ErrNoState", err)
	}
}

func TestPermissions(t *testing.T) {
	h := newState(t)
	if err := h.API.Save(Endpoint{Address: "127.0.0.1:1", Token: "secret", PID: 1}); err != nil {
		t.Fatal(err)
	}
	want := map[string]fs.FileMode{".": 0o700, "identity.key": 0o600, "service.key": 0o600, "api": 0o600, "config.yaml": 0o600, "keychain/node/owner": 0o600, "keystore": 0o700, "keychain": 0o700, "keychain/node": 0o700}
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(h.Dir(), name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("mode of %s = %o, want %o", name, info.Mode().Perm(), mode)
		}
	}
	for _, name := range []string{"identity.key", "service.key"} {
		path := filepath.Join(h.Dir(), name)
		if err := os.Chmod(path, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(h.Dir()); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("Open with readable %s = %v, want what to do", name, err)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamage harms each file in several ways: Open, or the read that needs the file, names it and leaves it alone.
func TestDamage(t *testing.T) {
	read := map[string]func(*State) error{
		"identity.key":        func(h *State) error { _, err := Open(h.Dir()); return err },
		"service.key":         func(h *State) error { _, err := Open(h.Dir()); return err },
		"version":             func(h *State) error { _, err := Open(h.Dir()); return err },
		"config.yaml":         func(h *State) error { _, err := Open(h.Dir()); return err },
		"keychain/node/owner": func(h *State) error { _, err := h.Keychain.Get("node/owner"); return err },
		"names/greenhouse":    func(h *State) error { _, err := h.Names.Get("greenhouse"); return err },
		"api":                 func(h *State) error { _, err := h.API.Get(); return err },
	}
	harm := map[string]func([]byte) []byte{
		"truncated": func(b []byte) []byte { return b[:len(b)/3] },
		"junk":      func(b []byte) []byte { return bytes.Repeat([]byte("\x00\xffjunk: ["), 9) },
		"large":     func([]byte) []byte { return bytes.Repeat([]byte("a"), maxFile+1) },
		"empty":     func([]byte) []byte { return nil },
	}
	for name, use := range read {
		for how, f := range harm {
			if name == "config.yaml" && (how == "truncated" || how == "empty") {
				continue // an empty configuration is the default one
			}
			t.Run(name+"/"+how, func(t *testing.T) {
				h := newState(t)
				key, err := NewServiceKey()
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(h.Names.Save("greenhouse", key.ID), h.API.Save(Endpoint{Address: "127.0.0.1:1", Token: "x"})); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(h.Dir(), name)
				if err := use(h); err != nil {
					t.Fatalf("before the damage: %v", err)
				}
				good, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				bad := f(good)
				if err := os.WriteFile(path, bad, 0o600); err != nil {
					t.Fatal(err)
				}
				err = use(h)
				if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "to do:") {
					t.Errorf("error = %v, want one that names %s and says what to do", err, path)
				}
				if now, _ := os.ReadFile(path); !bytes.Equal(now, bad) {
					t.Errorf("the damaged file was changed")
				}
			})
		}
	}
}

// TestKeyFileFlips inverts one bit of each byte of a key file: never another key, never a panic.
func TestKeyFileFlips(t *testing.T) {
	h := newState(t)
	path := filepath.Join(h.Dir(), "service.key")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := readServiceKey(path)
		if err != nil {
			continue
		}
		if *k != *h.Keys.own {
			t.Fatalf("bit flipped in byte %d: read another key", i)
		}
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	h := newState(t)
	path := filepath.Join(h.Dir(), "identity.key")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(raw), "seed: ")
	seed, _, _ := strings.Cut(after, "\n")
	if len(seed) < 40 {
		t.Fatalf("no seed in %q", raw)
	}
	for _, bad := range []string{"more: 1\n" + string(raw), string(raw) + "kind: x\n", strings.Replace(string(raw), "version: 1", "version: [", 1)} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(h.Dir())
		if err == nil || strings.Contains(err.Error(), seed) {
			t.Errorf("error %v: want one without the secret", err)
		}
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %x", h.Keys.own, h.Keys.own, h.Keys.own, h.Keys.own), fmt.Sprintf("%v %+v %#v", Endpoint{Token: seed}, Endpoint{Token: seed}, Endpoint{Token: seed})} {
		if strings.Contains(text, seed) || strings.Contains(text, fmt.Sprintf("%x", h.Keys.own.seed)) {
			t.Errorf("formatting shows a secret: %s", text)
		}
	}
}

func TestInitTakesUp(t *testing.T) {
	h := newState(t)
	id := h.PeerID()
	for _, name := range []string{"version", "service.key"} {
		if err := os.Remove(filepath.Join(h.Dir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(h.Dir(), "keychain")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(h.Dir()); err == nil || !strings.Contains(err.Error(), "init again") {
		t.Errorf("Open of an interrupted Init = %v, want what to do", err)
	}
	h, err := Init(h.Dir(), config.Default())
	if err != nil {
		t.Fatal(err)
	}
	if h.PeerID() != id {
		t.Errorf("Init made a new identity over an existing one")
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(foreign, config.Default()); err == nil {
		t.Errorf("Init in a directory with other files succeeded")
	}
}

func TestKeychain(t *testing.T) {
	h := newState(t)
	k, err := NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Keychain.Save("greenhouse/owner", k.Owner()); err != nil {
		t.Fatal(err)
	}
	if err := h.Keychain.Save("greenhouse/owner", k.Owner()); err != nil {
		t.Errorf("saving the same again: %v", err)
	}
	if err := h.Keychain.Save("greenhouse/owner", h.Keys.own.Owner()); err == nil {
		t.Errorf("another capability under a taken name was accepted")
	}
	for _, name := range []string{"", "a", "a/", "/a", "../x", "a/../b", "a/b/c", "A/b", "a/.b", strings.Repeat("a", 99) + "/b"} {
		if err := h.Keychain.Save(name, k.Owner()); err == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
	list, err := h.Keychain.All()
	if err != nil || len(list) != 2 || list[0].Name != "greenhouse/owner" || list[1].Name != "node/owner" {
		t.Errorf("Capabilities() = %v, %v", list, err)
	}
	if err := h.Keychain.Remove("greenhouse/owner"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Keychain.Get("greenhouse/owner"); !errors.Is(err, ErrNotFound) {
		t.Errorf("after removal: %v, want ErrNotFound", err)
	}
}

func TestKeystoreAndDevices(t *testing.T) {
	h := newState(t)
	k, err := NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	k.Generations[3] = 7
	d := Device{Service: k.ID, Name: "greenhouse", Link: "serial:/dev/ttyUSB0", Claimed: time.Unix(1700000000, 0).UTC(), Reader: k.Owner(), Manifest: edgeistry.Manifest{
		Board: "ATmega328P", Firmware: "greenhouse/1.0",
		Logs:      []edgeistry.LogInfo{{Name: "temperature", Period: 10, Size: 2}},
		Functions: []edgeistry.FunctionInfo{{Name: "valve", Argument: "u8:0..100"}},
	}}
	if err := errors.Join(h.Keys.Save(k), h.Devices.Save(d)); err != nil {
		t.Fatal(err)
	}
	keys, err := h.Keys.All()
	if err != nil || len(keys) != 1 || *keys[0] != *k {
		t.Fatalf("ServiceKeys() = %v, %v", keys, err)
	}
	devices, err := h.Devices.All()
	if err != nil || len(devices) != 1 {
		t.Fatalf("Devices() = %v, %v", devices, err)
	}
	got := devices[0]
	if got.Link != d.Link || got.Name != d.Name || !got.Claimed.Equal(d.Claimed) || got.Reader.Text() != d.Reader.Text() || fmt.Sprint(got.Manifest) != fmt.Sprint(d.Manifest) {
		t.Errorf("Devices() = %+v, want %+v", got, d)
	}
	path := filepath.Join(h.Dir(), "devices", k.ID.String()+".yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, "color: green\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Devices.All(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), `"color"`) {
		t.Errorf("unknown key in a device file: %v", err)
	}
	if err := h.Devices.Remove(k.ID); err != nil {
		t.Fatal(err)
	}
	if devices, err := h.Devices.All(); err != nil || len(devices) != 0 {
		t.Errorf("after removal: %v, %v", devices, err)
	}
}

func TestNames(t *testing.T) {
	h := newState(t)
	a, _ := NewServiceKey()
	b, _ := NewServiceKey()
	if err := h.Names.Save("pump", a.ID); err != nil {
		t.Fatal(err)
	}
	if err := h.Names.Save("pump", b.ID); err == nil {
		t.Errorf("a taken name was given to another service")
	}
	if err := h.Names.Save(OwnName, b.ID); err == nil {
		t.Errorf("the node's own name was given away")
	}
	for _, name := range []string{"pump", a.ID.String()} {
		if id, err := h.Names.Service(name); err != nil || id != a.ID {
			t.Errorf("Service(%q) = %v, %v", name, id, err)
		}
	}
	if id, err := h.Names.Service(OwnName); err != nil || id != h.Keys.own.ID {
		t.Errorf("Service(%q) = %v, %v", OwnName, id, err)
	}
	if got := h.Names.Of(a.ID); got != "pump" {
		t.Errorf("NameOf = %q, want pump", got)
	}
	if _, err := h.Names.Service("../identity.key"); err == nil {
		t.Errorf("a path was taken for a name")
	}
}

func TestWriteFileKeepsOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := atomicfile.Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.WriteNew(path, []byte("new"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("writeNew over a file = %v, want ErrExist", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := atomicfile.Write(filepath.Join(dir, "d"), []byte("new"), 0o600); err == nil {
		t.Errorf("writing over a directory succeeded")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("temporary files were left: %v, %v", entries, err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("content = %q, want old", got)
	}
}

func TestPendingClaim(t *testing.T) {
	h := newState(t)
	id := [4]byte{1, 2, 3, 4}
	if _, err := h.Claims.Get(id); !errors.Is(err, ErrNotFound) {
		t.Errorf("claim that never began: %v, want ErrNotFound", err)
	}
	k, err := NewServiceKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Claims.Save(id, PendingClaim{Key: k, OwnerNonce: []byte("nonce"), Answer: []byte("answer")}); err != nil {
		t.Fatal(err)
	}
	c, err := h.Claims.Get(id)
	if err != nil || *c.Key != *k || string(c.OwnerNonce) != "nonce" || string(c.Answer) != "answer" {
		t.Errorf("Claim = %+v, %v", c, err)
	}
	path := filepath.Join(h.Dir(), "claims", "01020304.yaml")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of a begun claim: %v, %v", info, err)
	}
	if err := os.WriteFile(path, []byte("service_key: AAAA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Claims.Get(id); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("damaged claim: %v, want one that names the file", err)
	}
	if err := errors.Join(h.Claims.Remove(id), h.Claims.Remove(id)); err != nil {
		t.Fatal(err)
	}
}

func TestSaveOwn(t *testing.T) {
	h := newState(t)
	before, raised := h.Keys.Own(), h.Keys.Own()
	raised.Generations[3] = 9
	if err := h.Keys.Save(raised); err != nil {
		t.Fatal(err)
	}
	again, err := Open(h.Dir())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []*ServiceKey{h.Keys.Own(), again.Keys.Own()} {
		if k.Generations[3] != 9 || k.EpochKey != before.EpochKey || k.ID != before.ID {
			t.Errorf("after SaveServiceKey: generations %v", k.Generations)
		}
	}
	if before.Generations[3] != 0 {
		t.Errorf("SaveServiceKey changed a key that was handed out")
	}
}

// TestEndpointOfACopy: the file api that was copied with the directory of a running node leads nobody to that node.
func TestEndpointOfACopy(t *testing.T) {
	s := newState(t)
	if err := s.API.Save(Endpoint{Address: "127.0.0.1:7780", Token: "secret"}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(dir, os.DirFS(s.Dir())); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"api", "identity.key", "service.key", "config.yaml", "keychain/node/owner"} {
		if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil { // CopyFS adds bits
			t.Fatal(err)
		}
	}
	copied, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := copied.API.Get(); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), s.Dir()) || strings.Contains(err.Error(), "secret") {
		t.Errorf("Endpoint of a copy = %v, want ErrForeign and the other directory", err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(s.Dir(), link); err != nil {
		t.Fatal(err)
	}
	linked, err := Open(link)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := linked.API.Get(); err != nil || e.Token != "secret" {
		t.Errorf("Endpoint by a link to the directory = %v, %v", e, err)
	}
	if err := atomicfile.Write(filepath.Join(s.Dir(), "api"), []byte(`{"address":"127.0.0.1:7780","token":"x","pid":1}`), atomicfile.Secret); err != nil {
		t.Fatal(err)
	}
	if _, err := s.API.Get(); err == nil {
		t.Error("Endpoint took a file that names no directory")
	}
}

// TestIsSecret: every file that a store writes with mode 0600 because it holds a secret is called secret, and none that people share.
func TestIsSecret(t *testing.T) {
	for name, want := range map[string]bool{
		"identity.key": true, "service.key": true, "api": true, "keystore/k51.key": true, "keychain/greenhouse/owner": true,
		"devices/k51.yaml": true, "claims/01020304.yaml": true, "revocations/k51.yaml": true,
		"config.yaml": false, "version": false, "lock": false, "names/greenhouse": false, "data/000001.log": false, "witness": false,
	} {
		if got := IsSecret(filepath.FromSlash(name)); got != want {
			t.Errorf("IsSecret(%s) = %t, want %t", name, got, want)
		}
	}
}
