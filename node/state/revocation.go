package state

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/denylist"
	"github.com/edgeistry/edgeistry/internal/atomicfile"
	"github.com/edgeistry/edgeistry/internal/yamlfile"
)

// Limits of what is kept of one service's revocations.
const (
	keptDone   = 64             // changes that are done, for people to look at; the oldest go first
	keptDenied = 24 * time.Hour // an entry of the deny list, after its capability has expired by itself
)

// ErrDenyListFull says that a service's deny list takes no more: none of its entries has expired.
var ErrDenyListFull = fmt.Errorf("the deny list is full (%d entries); raise a generation, which ends a whole branch", denylist.MaxEntries)

// Revocations is what this node has revoked of one service.
type Revocations struct {
	Service edgeistry.ServiceID
	Denied  []Denial
	Changes []Change // the oldest first
}

// Denial is an entry of the deny list: a capability that this node lets through no more.
type Denial struct {
	Fingerprint denylist.Fingerprint
	Epoch       uint16 // of the capability, as the next two
	Branch      uint8
	Generation  uint8
	Name        string // in the keychain then; may be ""
	Since       time.Time
	Expires     time.Time // of the capability itself; zero: never
}

// Change ends a branch's generation or an epoch at the service itself. It is pending until the service has confirmed it.
type Change struct {
	Epoch      uint16   // the new one; 0: a generation of the present one
	Branch     uint8    // of a generation
	Generation uint8    // the new one
	Secret     [32]byte // r of an epoch, until it is done; zeros then
	Since      time.Time
	Done       time.Time // zero: pending
}

// Pending reports whether the service has not confirmed the change yet.
func (c Change) Pending() bool { return c.Done.IsZero() }

// String returns what the service is told.
func (c Change) String() string {
	if c.Epoch != 0 {
		return fmt.Sprintf("epoch %d", c.Epoch)
	}
	return fmt.Sprintf("branch %d, generation %d", c.Branch, c.Generation)
}

// Format keeps every verb of fmt from printing the secret.
func (c Change) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// Pending returns the changes that the service has not confirmed, the oldest first.
func (r *Revocations) Pending() []Change {
	var out []Change
	for _, c := range r.Changes {
		if c.Pending() {
			out = append(out, c)
		}
	}
	return out
}

// Epoch returns the pending change of the epoch, if there is one.
func (r *Revocations) Epoch() (Change, bool) {
	i := slices.IndexFunc(r.Changes, func(c Change) bool { return c.Epoch != 0 && c.Pending() })
	if i < 0 {
		return Change{}, false
	}
	return r.Changes[i], true
}

// Deny adds an entry to the deny list; one that is there already stays as it is. Where room is short, entries go that the service itself
// refuses by now, as k says.
func (r *Revocations) Deny(d Denial, k *ServiceKey) error {
	if slices.ContainsFunc(r.Denied, func(o Denial) bool { return o.Fingerprint == d.Fingerprint }) {
		return nil
	}
	r.Prune(d.Since)
	if len(r.Denied) >= denylist.MaxEntries {
		r.Denied = slices.DeleteFunc(r.Denied, func(o Denial) bool { return r.confirmed(o, k) })
	}
	if len(r.Denied) >= denylist.MaxEntries {
		return ErrDenyListFull
	}
	r.Denied = append(r.Denied, d)
	return nil
}

// Room reports whether Deny finds room for n more entries at a time.
func (r *Revocations) Room(n int, now time.Time, k *ServiceKey) bool {
	kept := 0
	for _, d := range r.Denied {
		if !r.confirmed(d, k) && !d.expired(now) {
			kept++
		}
	}
	return kept+n <= denylist.MaxEntries
}

// expired reports whether an entry has no effect any more.
func (d Denial) expired(now time.Time) bool {
	return !d.Expires.IsZero() && now.Sub(d.Expires) > keptDenied
}

// confirmed reports whether the service itself has ended what an entry denies.
func (r *Revocations) confirmed(d Denial, k *ServiceKey) bool {
	if d.Epoch < k.Epoch {
		return true
	}
	pending := slices.ContainsFunc(r.Changes, func(c Change) bool { return c.Pending() && c.Epoch == 0 && c.Branch == d.Branch })
	return d.Generation < k.Generations[d.Branch&capability.BranchMirror] && !pending
}

// Denies reports whether a capability, or one that it was narrowed from, is on the deny list.
func (r *Revocations) Denies(c *capability.Capability) bool {
	chain := denylist.Chain(c)
	return slices.ContainsFunc(r.Denied, func(d Denial) bool { return slices.Contains(chain, d.Fingerprint) })
}

// Allow takes an entry out of the deny list; false: it was not there.
func (r *Revocations) Allow(f denylist.Fingerprint) bool {
	before := len(r.Denied)
	r.Denied = slices.DeleteFunc(r.Denied, func(d Denial) bool { return d.Fingerprint == f })
	return len(r.Denied) < before
}

// Prune takes out entries that have no effect any more.
func (r *Revocations) Prune(now time.Time) {
	r.Denied = slices.DeleteFunc(r.Denied, func(d Denial) bool { return d.expired(now) })
}

// Fingerprints returns the deny list as a proxy takes it.
func (r *Revocations) Fingerprints() []denylist.Fingerprint {
	var out []denylist.Fingerprint
	for _, d := range r.Denied {
		out = append(out, d.Fingerprint)
	}
	return out
}

// Add adds a change. A pending one of the same branch gives way to a higher generation, and those of the generations to a new epoch: one
// of them ends all that the others would.
func (r *Revocations) Add(c Change) {
	r.Changes = slices.DeleteFunc(r.Changes, func(o Change) bool {
		return o.Pending() && o.Epoch == 0 && (c.Epoch != 0 || o.Branch == c.Branch)
	})
	r.Changes = append(r.Changes, c)
}

// Finish notes that a change is confirmed, and forgets its secret.
func (r *Revocations) Finish(c Change, now time.Time) {
	for i := range r.Changes {
		o := &r.Changes[i]
		if o.Pending() && o.Epoch == c.Epoch && o.Branch == c.Branch && o.Generation <= c.Generation {
			o.Done, o.Secret = now, [32]byte{}
		}
	}
	done := 0
	for i := len(r.Changes) - 1; i >= 0; i-- {
		if r.Changes[i].Pending() {
			continue
		}
		if done++; done > keptDone {
			r.Changes = slices.Delete(r.Changes, i, i+1)
		}
	}
}

type revocationFile struct {
	Service string       `yaml:"service"`
	Denied  []denialFile `yaml:"denied,omitempty"`
	Changes []changeFile `yaml:"changes,omitempty"`
}

type denialFile struct {
	Fingerprint string    `yaml:"fingerprint"`
	Epoch       uint16    `yaml:"epoch"`
	Branch      uint8     `yaml:"branch"`
	Generation  uint8     `yaml:"generation"`
	Name        string    `yaml:"name,omitempty"`
	Since       time.Time `yaml:"since"`
	Expires     time.Time `yaml:"expires,omitempty"`
}

type changeFile struct {
	Epoch      uint16    `yaml:"epoch,omitempty"`
	Secret     string    `yaml:"secret,omitempty"`
	Branch     uint8     `yaml:"branch,omitempty"`
	Generation uint8     `yaml:"generation,omitempty"`
	Since      time.Time `yaml:"since"`
	Done       time.Time `yaml:"done,omitempty"`
}

// RevocationLists holds what was revoked of each owned service: revocations/ID.yaml.
type RevocationLists struct{ folder }

func (s *RevocationLists) file(id edgeistry.ServiceID) string {
	return s.path("revocations", id.String()+".yaml")
}

// Save stores what was revoked of a service.
func (s *RevocationLists) Save(r *Revocations) error {
	f := revocationFile{Service: r.Service.String()}
	for _, d := range r.Denied {
		f.Denied = append(f.Denied, denialFile{d.Fingerprint.String(), d.Epoch, d.Branch, d.Generation, d.Name, d.Since.UTC(), d.Expires.UTC()})
	}
	for _, c := range r.Changes {
		out := changeFile{Epoch: c.Epoch, Branch: c.Branch, Generation: c.Generation, Since: c.Since.UTC(), Done: c.Done.UTC()}
		if c.Secret != [32]byte{} {
			out.Secret = base64.StdEncoding.EncodeToString(c.Secret[:])
		}
		f.Changes = append(f.Changes, out)
	}
	body, err := yaml.Marshal(f)
	if err != nil {
		return fmt.Errorf("keep revocations: %w", err)
	}
	data := append([]byte("# What this home has revoked. Secret while an epoch is pending.\n"), body...)
	if len(data) > maxFile {
		return fmt.Errorf("keep revocations: %w", ErrDenyListFull)
	}
	if err := atomicfile.Write(s.file(r.Service), data, atomicfile.Secret); err != nil {
		return fmt.Errorf("keep revocations: %w", err)
	}
	return nil
}

// Get returns what was revoked of a service; nothing, if nothing was.
func (s *RevocationLists) Get(id edgeistry.ServiceID) (*Revocations, error) {
	path := s.file(id)
	r := &Revocations{Service: id}
	raw, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	var f revocationFile
	if err := yamlfile.Decode(raw, &f); err != nil {
		return nil, damaged(path, "it does not list revocations")
	}
	if f.Service != id.String() || len(f.Denied) > denylist.MaxEntries {
		return nil, damaged(path, "it is of another service, or too long")
	}
	for _, d := range f.Denied {
		fp, err := denylist.Parse(d.Fingerprint)
		if err != nil || d.Branch > capability.BranchMirror {
			return nil, damaged(path, "it has an entry that is none")
		}
		r.Denied = append(r.Denied, Denial{fp, d.Epoch, d.Branch, d.Generation, d.Name, d.Since, d.Expires})
	}
	for _, c := range f.Changes {
		out := Change{Epoch: c.Epoch, Branch: c.Branch, Generation: c.Generation, Since: c.Since, Done: c.Done}
		secret, err := base64.StdEncoding.DecodeString(c.Secret)
		pendingEpoch := c.Epoch != 0 && c.Done.IsZero()
		if err != nil || c.Branch > capability.BranchMirror || pendingEpoch != (len(secret) == len(out.Secret)) {
			return nil, damaged(path, "it has a change that is none")
		}
		copy(out.Secret[:], secret)
		r.Changes = append(r.Changes, out)
	}
	return r, nil
}

// Services returns the services of which something was revoked.
func (s *RevocationLists) Services() ([]edgeistry.ServiceID, error) {
	names, err := listFiles(s.path("revocations"))
	if err != nil {
		return nil, fmt.Errorf("list revocations: %w", err)
	}
	var out []edgeistry.ServiceID
	for _, name := range names {
		text, ok := strings.CutSuffix(name, ".yaml")
		if !ok {
			continue
		}
		if id, err := edgeistry.ParseServiceID(text); err == nil {
			out = append(out, id)
		}
	}
	return out, nil
}
