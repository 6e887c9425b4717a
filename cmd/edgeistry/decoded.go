package main

import (
	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/node/api"
)

// decoded is a payload as its service's manifest lets it be read, beside the bytes themselves, with --json.
type decoded struct {
	Number *int64 `json:"number,omitempty"` // of the kind and size that the manifest says
	Text   string `json:"text,omitempty"`   // if all of it is printable
}

// numberField returns how the manifest spells the numbers of a log or function. A function's kind is that of its argument; a
// log has a size alone, and its entries are unsigned and big-endian. ok is false where the manifest says neither.
func numberField(m edgeistry.Manifest, name string) (f field, ok bool) {
	for _, fn := range m.Functions {
		if fn.Name == name {
			f, err := parseField(fn.Argument)
			return f, err == nil
		}
	}
	for _, l := range m.Logs {
		if l.Name == name && (l.Size == 1 || l.Size == 2 || l.Size == 4) {
			return field{bytes: int(l.Size)}, true
		}
	}
	return field{}, false
}

// decoder returns what reads the payloads of one log or function. The manifest is asked for once.
func (c *cli) decoder(at target) func([]byte) decoded {
	var f field
	known := false
	if at.service != "" {
		f, known = numberField(c.manifest(at.service), at.name)
	}
	return func(payload []byte) (d decoded) {
		if known {
			if n, ok := f.decode(payload); ok {
				d.Number = &n
				return d
			}
		}
		if len(payload) > 0 && printable(payload) {
			d.Text = string(payload)
		}
		return d
	}
}

// entryShown is an entry with --json.
type entryShown struct {
	api.Entry
	decoded
}

// readShown is a read with --json.
type readShown struct {
	*api.ReadResult
	Entries []entryShown `json:"entries"`
}

// callShown is the answer to a call with --json.
type callShown struct {
	*api.CallResult
	decoded
}
