package state

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/goccy/go-yaml"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/internal/atomicfile"
	"github.com/edgeistry/edgeistry/internal/yamlfile"
)

// keyFile is the form of identity.key, service.key and keystore/*.key on disk. check is the start of a SHA-256 over all
// other values: it finds a damaged file before a damaged key is used.
type keyFile struct {
	Kind        string `yaml:"kind"`
	Version     int    `yaml:"version"`
	ID          string `yaml:"id"`
	Seed        string `yaml:"seed"`
	EpochKey    string `yaml:"epoch_key,omitempty"`
	Epoch       uint16 `yaml:"epoch,omitempty"`
	Generations string `yaml:"generations,omitempty"`
	Check       string `yaml:"check"`
}

const (
	kindIdentity   = "node identity"
	kindService    = "service"
	keyFileVersion = 1
)

func (k *keyFile) sum() string {
	h := sha256.New()
	for _, s := range []string{k.Kind, fmt.Sprint(k.Version), k.ID, k.Seed, k.EpochKey, fmt.Sprint(k.Epoch), k.Generations} {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func (k *keyFile) encode() ([]byte, error) {
	k.Version = keyFileVersion
	k.Check = k.sum()
	body, err := yaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return append([]byte("# Edgeistry "+k.Kind+" key. Secret: keep it 0600 and backed up.\n"), body...), nil
}

// readKeyFile reads and checks a key file; seed is the private key's 32 bytes.
func readKeyFile(path, kind string) (k keyFile, seed []byte, err error) {
	raw, err := readSecret(path)
	if err != nil {
		return keyFile{}, nil, err
	}
	return decodeKeyFile(path, kind, raw)
}

// decodeKeyFile is readKeyFile of bytes at hand; errors name path.
func decodeKeyFile(path, kind string, raw []byte) (k keyFile, seed []byte, err error) {
	if err := yamlfile.Decode(raw, &k); err != nil {
		if errors.Is(err, io.EOF) {
			return keyFile{}, nil, damaged(path, "the file is empty")
		}
		return keyFile{}, nil, damaged(path, "it is not a key file")
	}
	if k.Version > keyFileVersion {
		return keyFile{}, nil, &FileError{Path: path, Problem: fmt.Sprintf("it has version %d", k.Version), Action: "use a newer edgeistry"}
	}
	if k.Kind != kind {
		return keyFile{}, nil, damaged(path, fmt.Sprintf("it is not a %s key", kind))
	}
	if k.Check != k.sum() {
		return keyFile{}, nil, damaged(path, "its check does not match its content")
	}
	seed, err = base64.StdEncoding.DecodeString(k.Seed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return keyFile{}, nil, damaged(path, "its key has the wrong form")
	}
	return k, seed, nil
}

// privateKey returns libp2p's form of an Ed25519 key.
func privateKey(seed []byte) (crypto.PrivKey, error) {
	return crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
}

// newIdentity writes a fresh identity.key.
func newIdentity(path string) error {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return err
	}
	key, err := privateKey(seed)
	if err != nil {
		return err
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return err
	}
	data, err := (&keyFile{Kind: kindIdentity, ID: id.String(), Seed: base64.StdEncoding.EncodeToString(seed)}).encode()
	if err != nil {
		return err
	}
	return atomicfile.WriteNew(path, data, atomicfile.Secret)
}

func readIdentity(path string) (crypto.PrivKey, peer.ID, error) {
	k, seed, err := readKeyFile(path, kindIdentity)
	if err != nil {
		return nil, "", err
	}
	key, err := privateKey(seed)
	if err != nil {
		return nil, "", damaged(path, "its key has the wrong form")
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil || id.String() != k.ID {
		return nil, "", damaged(path, "its key does not belong to its ID")
	}
	return key, id, nil
}

// ServiceKey is everything that makes its holder the owner of a service: who has it can publish the service's record
// and mint any capability. It lives in the owner's state directory and nowhere else.
type ServiceKey struct {
	ID          edgeistry.ServiceID
	seed        [ed25519.SeedSize]byte
	EpochKey    capability.EpochKey
	Epoch       uint16
	Generations [16]uint8
}

// NewServiceKey makes a service: a fresh Ed25519 key, and a fresh epoch key of epoch 1. A claim replaces the epoch key by the
// one that owner and device agreed on.
func NewServiceKey() (*ServiceKey, error) {
	k := &ServiceKey{Epoch: 1}
	if _, err := rand.Read(k.seed[:]); err != nil {
		return nil, err
	}
	if _, err := rand.Read(k.EpochKey[:]); err != nil {
		return nil, err
	}
	k.ID = edgeistry.ServiceID(ed25519.NewKeyFromSeed(k.seed[:]).Public().(ed25519.PublicKey))
	return k, nil
}

// Private returns the key that signs the service's record.
func (k *ServiceKey) Private() (crypto.PrivKey, error) { return privateKey(k.seed[:]) }

// String names the service and hides the keys.
func (k *ServiceKey) String() string { return "service key of " + k.ID.String() }

// Format keeps every verb of fmt from printing the keys.
func (k ServiceKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, k.String()) }

// Owner returns the owner's capability.
func (k *ServiceKey) Owner() *capability.Capability {
	return k.OwnerOf(k.Generations[capability.BranchOwner])
}

// OwnerOf returns the owner's capability of a generation of branch 0, with its half for the mirrors, so that what is narrowed from it for reading has one too. The present one and that before it may both be in force at a service
// that has not answered.
func (k *ServiceKey) OwnerOf(generation uint8) *capability.Capability {
	h := capability.Header{Epoch: k.Epoch, Generation: generation}
	mirror := k.Generations[capability.BranchMirror]
	c, err := capability.MintPair(k.ID, k.EpochKey.Branch(k.Epoch, capability.BranchOwner, generation), h,
		k.EpochKey.Branch(k.Epoch, capability.BranchMirror, mirror), mirror, nil)
	if err != nil {
		panic("state: the owner's header and frame are within limits") // cannot happen: both are constant
	}
	return c
}

// Next returns the key of the next epoch: of the same service, with all generations 0.
func (k *ServiceKey) Next(secret [32]byte) *ServiceKey {
	epoch := k.Epoch + 1
	return &ServiceKey{ID: k.ID, seed: k.seed, EpochKey: k.EpochKey.Next(epoch, secret), Epoch: epoch}
}

// IsOwner reports whether a capability has the form of an owner's, of whatever epoch and generation.
func IsOwner(c *capability.Capability) bool {
	return c.Header.Branch == capability.BranchOwner && c.Header.Nonce == [4]byte{} && len(c.Frames) == 1 && len(c.Frames[0]) == 0
}

func (k *ServiceKey) encode() ([]byte, error) {
	return (&keyFile{
		Kind: kindService, ID: k.ID.String(),
		Seed:        base64.StdEncoding.EncodeToString(k.seed[:]),
		EpochKey:    base64.StdEncoding.EncodeToString(k.EpochKey[:]),
		Epoch:       k.Epoch,
		Generations: hex.EncodeToString(k.Generations[:]),
	}).encode()
}

func readServiceKey(path string) (*ServiceKey, error) {
	raw, err := readSecret(path)
	if err != nil {
		return nil, err
	}
	return decodeServiceKey(path, raw)
}

// decodeServiceKey is readServiceKey of bytes at hand; errors name path.
func decodeServiceKey(path string, raw []byte) (*ServiceKey, error) {
	f, seed, err := decodeKeyFile(path, kindService, raw)
	if err != nil {
		return nil, err
	}
	k := &ServiceKey{Epoch: f.Epoch, seed: [ed25519.SeedSize]byte(seed)}
	k.ID = edgeistry.ServiceID(ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey))
	if k.ID.String() != f.ID {
		return nil, damaged(path, "its key does not belong to its ID")
	}
	ke, err := base64.StdEncoding.DecodeString(f.EpochKey)
	if err != nil || len(ke) != len(k.EpochKey) {
		return nil, damaged(path, "its epoch key has the wrong form")
	}
	k.EpochKey = capability.EpochKey(ke)
	gens, err := hex.DecodeString(f.Generations)
	if err != nil || len(gens) != len(k.Generations) || k.Epoch == 0 {
		return nil, damaged(path, "its epoch or generations have the wrong form")
	}
	k.Generations = [16]uint8(gens)
	return k, nil
}

// keepOrMake runs make unless the file at path exists.
func keepOrMake(path string, exists func(string) error, make func(string) error) error {
	err := exists(path)
	if errors.Is(err, fs.ErrNotExist) {
		return make(path)
	}
	return err
}
