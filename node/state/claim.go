package state

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/goccy/go-yaml"

	"github.com/edgeistry/edgeistry/internal/atomicfile"
	"github.com/edgeistry/edgeistry/internal/yamlfile"
)

// PendingClaim is a claim that has begun: what is needed, with the device's setup code, to finish it after its last answer was
// lost or the node was stopped. It is kept before the device can have become the owner's, and removed when the key is.
type PendingClaim struct {
	Key        *ServiceKey // its epoch key is not the device's yet
	OwnerNonce []byte      // empty: nothing was sent yet that a device could have accepted
	Answer     []byte      // the device's first
}

type pendingFile struct {
	Service    string `yaml:"service_key"`
	OwnerNonce string `yaml:"owner_nonce,omitempty"`
	Answer     string `yaml:"answer,omitempty"`
}

// Claims holds the claims that have begun: claims/ID.yaml.
type Claims struct{ folder }

func (s *Claims) file(id [4]byte) string {
	return s.path("claims", hex.EncodeToString(id[:])+".yaml")
}

// Save stores a claim of the device with this factory ID.
func (s *Claims) Save(id [4]byte, c PendingClaim) error {
	key, err := c.Key.encode()
	if err != nil {
		return err
	}
	body, err := yaml.Marshal(pendingFile{
		Service:    base64.StdEncoding.EncodeToString(key),
		OwnerNonce: base64.StdEncoding.EncodeToString(c.OwnerNonce),
		Answer:     base64.StdEncoding.EncodeToString(c.Answer),
	})
	if err != nil {
		return fmt.Errorf("keep claim: %w", err)
	}
	data := append([]byte("# A claim that has begun. Claim the device again to finish it. Secret.\n"), body...)
	if err := atomicfile.Write(s.file(id), data, atomicfile.Secret); err != nil {
		return fmt.Errorf("keep claim: %w", err)
	}
	return nil
}

// Get returns the claim of a device that has begun; ErrNotFound if none has.
func (s *Claims) Get(id [4]byte) (*PendingClaim, error) {
	path := s.file(id)
	raw, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("claim: %w", ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	var f pendingFile
	if err := yamlfile.Decode(raw, &f); err != nil {
		return nil, damaged(path, "it is not a claim that has begun")
	}
	key, err1 := base64.StdEncoding.DecodeString(f.Service)
	nonce, err2 := base64.StdEncoding.DecodeString(f.OwnerNonce)
	answer, err3 := base64.StdEncoding.DecodeString(f.Answer)
	if errors.Join(err1, err2, err3) != nil {
		return nil, damaged(path, "it is not a claim that has begun")
	}
	c := &PendingClaim{OwnerNonce: nonce, Answer: answer}
	if c.Key, err = decodeServiceKey(path, key); err != nil {
		return nil, err
	}
	return c, nil
}

// Remove deletes a claim that is finished.
func (s *Claims) Remove(id [4]byte) error { return atomicfile.Remove(s.file(id)) }
