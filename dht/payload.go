package dht

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/edgeistry/edgeistry"
)

// recordVersion is the version of the payload that this package writes and reads.
const recordVersion = 1

// The payload: a version byte and a deterministic CBOR map (RFC 8949 section 4.2.1).
//
//	01  {1: service, 2: sequence, 3: not before, 4: expiry, 5: homes, 6: manifest, 7: duty?, 8: max-age}
//
// homes     [[peer ID, [multiaddr ...]] ...]
// manifest  {1: board?, 2: firmware?, 3: [[log, period s, size] ...]?, 4: [[function, argument] ...]?}
// duty      [period s, window s, next wake]
type wireRecord struct {
	Service   []byte       `cbor:"1,keyasint"`
	Sequence  uint64       `cbor:"2,keyasint"`
	NotBefore uint64       `cbor:"3,keyasint"`
	Expiry    uint64       `cbor:"4,keyasint"`
	Homes     []wireHome   `cbor:"5,keyasint"`
	Manifest  wireManifest `cbor:"6,keyasint"`
	Duty      *wireDuty    `cbor:"7,keyasint,omitempty"`
	MaxAge    uint32       `cbor:"8,keyasint"`
}

type wireHome struct {
	_     struct{} `cbor:",toarray"`
	ID    []byte
	Addrs [][]byte
}

type wireManifest struct {
	Board    string         `cbor:"1,keyasint,omitempty"`
	Firmware string         `cbor:"2,keyasint,omitempty"`
	Logs     []wireLog      `cbor:"3,keyasint,omitempty"`
	Funcs    []wireFunction `cbor:"4,keyasint,omitempty"`
}

type wireLog struct {
	_      struct{} `cbor:",toarray"`
	Name   string
	Period uint32
	Size   uint32
}

type wireFunction struct {
	_        struct{} `cbor:",toarray"`
	Name     string
	Argument string
}

type wireDuty struct {
	_        struct{} `cbor:",toarray"`
	Period   uint32
	Window   uint32
	NextWake uint64
}

// encMode and decMode are immutable; they are built once because building them is what can fail.
var (
	encMode = mustEnc()
	decMode = mustDec()
)

func mustEnc() cbor.EncMode {
	opts := cbor.CoreDetEncOptions()
	opts.NilContainers = cbor.NilContainerAsEmpty
	mode, err := opts.EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}

func mustDec() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
		MaxArrayElements:  16, // logs and functions; the least that the decoder takes
		MaxMapPairs:       16,
		MaxNestedLevels:   4, // record, homes, home, addresses
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}

// encodePayload checks a record against the limits and encodes it.
func encodePayload(rec Record) ([]byte, error) {
	if err := rec.check(); err != nil {
		return nil, err
	}
	w := wireRecord{
		Service:   rec.Service[:],
		Sequence:  rec.Sequence,
		NotBefore: uint64(rec.NotBefore.Unix()),
		Expiry:    uint64(rec.Expiry.Unix()),
		Manifest:  wireManifest{Board: rec.Manifest.Board, Firmware: rec.Manifest.Firmware},
		MaxAge:    seconds(rec.MaxAge),
	}
	for _, home := range rec.Homes {
		wh := wireHome{ID: []byte(home.ID)}
		for _, a := range home.Addrs {
			wh.Addrs = append(wh.Addrs, a.Bytes())
		}
		w.Homes = append(w.Homes, wh)
	}
	for _, l := range rec.Manifest.Logs {
		w.Manifest.Logs = append(w.Manifest.Logs, wireLog{Name: l.Name, Period: l.Period, Size: l.Size})
	}
	for _, f := range rec.Manifest.Functions {
		w.Manifest.Funcs = append(w.Manifest.Funcs, wireFunction{Name: f.Name, Argument: f.Argument})
	}
	if d := rec.Duty; d != nil {
		w.Duty = &wireDuty{Period: seconds(d.Period), Window: seconds(d.Window), NextWake: uint64(d.NextWake.Unix())}
	}
	body, err := encMode.Marshal(&w)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return append([]byte{recordVersion}, body...), nil
}

// decodePayload reads a payload and checks it against the limits, but not against the clock.
func decodePayload(payload []byte) (Record, error) {
	if len(payload) == 0 || payload[0] != recordVersion {
		return Record{}, ErrVersion
	}
	body := payload[1:]
	var w wireRecord
	if err := decMode.Unmarshal(body, &w); err != nil {
		return Record{}, decodeError(err)
	}
	// One record has one encoding: unsorted keys, long integers, null for a missing field and the
	// like end here.
	if again, err := encMode.Marshal(&w); err != nil || !bytes.Equal(again, body) {
		return Record{}, fmt.Errorf("%w: not deterministic", ErrEncoding)
	}
	rec, err := w.record()
	if err != nil {
		return Record{}, err
	}
	return rec, rec.check()
}

// decodeError returns what the CBOR decoder found one of this package's names.
func decodeError(err error) error {
	var unknown *cbor.UnknownFieldError
	var duplicate *cbor.DupMapKeyError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("%w: %w", ErrUnknownKey, err)
	case errors.As(err, &duplicate):
		return fmt.Errorf("%w: %w", ErrDuplicateKey, err)
	}
	return fmt.Errorf("%w: %w", ErrEncoding, err)
}

// record converts the wire form; limits on counts come first, so that nothing large is converted.
func (w *wireRecord) record() (Record, error) {
	id, err := edgeistry.ServiceIDFromBytes(w.Service)
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrField, err)
	}
	if w.NotBefore > math.MaxUint32 || w.Expiry > math.MaxUint32 {
		return Record{}, fmt.Errorf("%w: a time after the year 2106", ErrField)
	}
	rec := Record{
		Service:   id,
		Sequence:  w.Sequence,
		NotBefore: time.Unix(int64(w.NotBefore), 0),
		Expiry:    time.Unix(int64(w.Expiry), 0),
		Manifest:  edgeistry.Manifest{Board: w.Manifest.Board, Firmware: w.Manifest.Firmware},
		MaxAge:    time.Duration(w.MaxAge) * time.Second,
	}
	if len(w.Homes) > MaxHomes {
		return Record{}, fmt.Errorf("%w: %d homes", ErrField, len(w.Homes))
	}
	for _, wh := range w.Homes {
		home, err := wh.addrInfo()
		if err != nil {
			return Record{}, err
		}
		rec.Homes = append(rec.Homes, home)
	}
	for _, l := range w.Manifest.Logs {
		rec.Manifest.Logs = append(rec.Manifest.Logs, edgeistry.LogInfo{Name: l.Name, Period: l.Period, Size: l.Size})
	}
	for _, f := range w.Manifest.Funcs {
		rec.Manifest.Functions = append(rec.Manifest.Functions, edgeistry.FunctionInfo{Name: f.Name, Argument: f.Argument})
	}
	if d := w.Duty; d != nil {
		if d.NextWake > math.MaxUint32 {
			return Record{}, fmt.Errorf("%w: next wake after the year 2106", ErrField)
		}
		rec.Duty = &Duty{
			Period:   time.Duration(d.Period) * time.Second,
			Window:   time.Duration(d.Window) * time.Second,
			NextWake: time.Unix(int64(d.NextWake), 0),
		}
	}
	return rec, nil
}

func (w *wireHome) addrInfo() (peer.AddrInfo, error) {
	if len(w.ID) > maxPeerID {
		return peer.AddrInfo{}, fmt.Errorf("%w: peer ID of %d bytes", ErrField, len(w.ID))
	}
	id, err := peer.IDFromBytes(w.ID)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("%w: peer ID: %w", ErrField, err)
	}
	if len(w.Addrs) > MaxAddrs {
		return peer.AddrInfo{}, fmt.Errorf("%w: %d addresses of a home", ErrField, len(w.Addrs))
	}
	home := peer.AddrInfo{ID: id}
	for _, raw := range w.Addrs {
		if len(raw) == 0 || len(raw) > MaxAddr {
			return peer.AddrInfo{}, fmt.Errorf("%w: address of %d bytes", ErrField, len(raw))
		}
		a, err := ma.NewMultiaddrBytes(raw)
		if err != nil {
			return peer.AddrInfo{}, fmt.Errorf("%w: address: %w", ErrField, err)
		}
		home.Addrs = append(home.Addrs, a)
	}
	return home, nil
}

// check holds a record against the limits of docs/spec/record.md.
func (r *Record) check() error {
	switch {
	case r.Sequence < 1 || r.Sequence > MaxSequence:
		return fmt.Errorf("%w: sequence %d", ErrField, r.Sequence)
	case r.NotBefore.Unix() < 0 || r.Expiry.Unix() <= r.NotBefore.Unix():
		return fmt.Errorf("%w: expiry is not after not before", ErrField)
	case r.Expiry.Unix()-r.NotBefore.Unix() > int64(MaxValidity/time.Second):
		return fmt.Errorf("%w: valid for more than %s", ErrField, MaxValidity)
	case len(r.Homes) < 1 || len(r.Homes) > MaxHomes:
		return fmt.Errorf("%w: %d homes", ErrField, len(r.Homes))
	case r.MaxAge < 0 || r.MaxAge/time.Second > math.MaxUint32:
		return fmt.Errorf("%w: max-age %s", ErrField, r.MaxAge)
	}
	for i, home := range r.Homes {
		if err := home.ID.Validate(); err != nil || len(home.ID) > maxPeerID {
			return fmt.Errorf("%w: peer ID of home %d", ErrField, i)
		}
		for _, other := range r.Homes[:i] {
			if other.ID == home.ID {
				return fmt.Errorf("%w: home %s stands twice", ErrField, home.ID)
			}
		}
		if len(home.Addrs) > MaxAddrs {
			return fmt.Errorf("%w: %d addresses of a home", ErrField, len(home.Addrs))
		}
		for _, a := range home.Addrs {
			if n := len(a.Bytes()); n == 0 || n > MaxAddr {
				return fmt.Errorf("%w: address of %d bytes", ErrField, n)
			}
		}
	}
	if d := r.Duty; d != nil {
		if d.Window < time.Second || d.Window > d.Period || d.Period/time.Second > math.MaxUint32 || d.NextWake.Unix() < 0 {
			return fmt.Errorf("%w: duty of %s in %s", ErrField, d.Window, d.Period)
		}
	}
	return checkManifest(&r.Manifest)
}

func checkManifest(m *edgeistry.Manifest) error {
	if len(m.Logs) > MaxLogs || len(m.Functions) > MaxFuncs {
		return fmt.Errorf("%w: %d logs, %d functions", ErrField, len(m.Logs), len(m.Functions))
	}
	if !readable(m.Board) || !readable(m.Firmware) {
		return fmt.Errorf("%w: board or firmware text", ErrField)
	}
	seen := make(map[string]bool, len(m.Logs)+len(m.Functions))
	for _, l := range m.Logs {
		if err := edgeistry.CheckName(l.Name); err != nil {
			return fmt.Errorf("%w: log: %w", ErrField, err)
		}
		if seen["l/"+l.Name] {
			return fmt.Errorf("%w: log %s stands twice", ErrField, l.Name)
		}
		seen["l/"+l.Name] = true
	}
	for _, f := range m.Functions {
		if err := edgeistry.CheckName(f.Name); err != nil {
			return fmt.Errorf("%w: function: %w", ErrField, err)
		}
		if !readable(f.Argument) {
			return fmt.Errorf("%w: argument text of function %s", ErrField, f.Name)
		}
		if seen["f/"+f.Name] {
			return fmt.Errorf("%w: function %s stands twice", ErrField, f.Name)
		}
		seen["f/"+f.Name] = true
	}
	return nil
}

// readable reports whether a text from another node can be shown to people as it is.
func readable(s string) bool {
	if len(s) > MaxText || !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

// seconds returns a duration that check has bounded.
func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }
