package coap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/edgeistry/edgeistry"
)

// Limits of a link-format document.
const (
	MaxLinks     = 64   // links
	MaxLinkBytes = 8192 // bytes of the whole document
	maxText      = 64   // bytes of one attribute's value
)

// errLinks reports that a text is no link format, or too long.
var errLinks = errors.New("malformed link format")

// EncodeLinks returns a manifest in the link format of RFC 6690, as docs/spec/wire.md shows it.
func EncodeLinks(m edgeistry.Manifest) ([]byte, error) {
	var b strings.Builder
	for _, l := range m.Logs {
		if err := edgeistry.CheckName(l.Name); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `</l/%s>;rt="edg.log"`, l.Name)
		if l.Period > 0 {
			fmt.Fprintf(&b, ";p=%d", l.Period)
		}
		if l.Size > 0 {
			fmt.Fprintf(&b, ";sz=%d", l.Size)
		}
		b.WriteByte(',')
	}
	for _, f := range m.Functions {
		if err := edgeistry.CheckName(f.Name); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `</f/%s>;rt="edg.fn"`, f.Name)
		if err := quote(&b, "arg", f.Argument); err != nil {
			return nil, err
		}
		b.WriteByte(',')
	}
	b.WriteString(`</>;rt="edg.dev"`)
	if err := quote(&b, "bd", m.Board); err != nil {
		return nil, err
	}
	if err := quote(&b, "fw", m.Firmware); err != nil {
		return nil, err
	}
	b.WriteString(";v=1")
	if n := len(m.Logs) + len(m.Functions) + 1; n > MaxLinks || b.Len() > MaxLinkBytes {
		return nil, fmt.Errorf("%w: %d links of %d bytes", errLinks, n, b.Len())
	}
	return []byte(b.String()), nil
}

func quote(b *strings.Builder, name, value string) error {
	if value == "" {
		return nil
	}
	if !isText(value) {
		return fmt.Errorf("%w: %s", errLinks, name)
	}
	fmt.Fprintf(b, `;%s="%s"`, name, value)
	return nil
}

// isText admits what needs no escape in a quoted string and no care on a terminal.
func isText(s string) bool {
	if len(s) > maxText {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// DecodeLinks reads a manifest out of the link format. Links and attributes that it does not know are passed over; a
// link of a known kind must be right.
func DecodeLinks(b []byte) (edgeistry.Manifest, error) {
	var m edgeistry.Manifest
	if len(b) > MaxLinkBytes {
		return m, fmt.Errorf("%w: %d bytes", errLinks, len(b))
	}
	s := linkScanner{rest: string(b)}
	for n := 0; s.rest != ""; n++ {
		if n == MaxLinks {
			return m, fmt.Errorf("%w: more than %d links", errLinks, MaxLinks)
		}
		target, attributes, err := s.link()
		if err != nil {
			return m, err
		}
		if err := addLink(&m, target, attributes); err != nil {
			return m, err
		}
	}
	return m, nil
}

func addLink(m *edgeistry.Manifest, target string, attributes map[string]string) error {
	switch attributes["rt"] {
	case "edg.log":
		name, ok := strings.CutPrefix(target, "/l/")
		if !ok || edgeistry.CheckName(name) != nil {
			return fmt.Errorf("%w: log at %.40q", errLinks, target)
		}
		period, err := number(attributes["p"])
		if err != nil {
			return err
		}
		size, err := number(attributes["sz"])
		if err != nil {
			return err
		}
		for _, l := range m.Logs {
			if l.Name == name {
				return fmt.Errorf("%w: log %s twice", errLinks, name)
			}
		}
		m.Logs = append(m.Logs, edgeistry.LogInfo{Name: name, Period: period, Size: size})
	case "edg.fn":
		name, ok := strings.CutPrefix(target, "/f/")
		if !ok || edgeistry.CheckName(name) != nil || !isText(attributes["arg"]) {
			return fmt.Errorf("%w: function at %.40q", errLinks, target)
		}
		for _, f := range m.Functions {
			if f.Name == name {
				return fmt.Errorf("%w: function %s twice", errLinks, name)
			}
		}
		m.Functions = append(m.Functions, edgeistry.FunctionInfo{Name: name, Argument: attributes["arg"]})
	case "edg.dev":
		if !isText(attributes["bd"]) || !isText(attributes["fw"]) {
			return fmt.Errorf("%w: device at %.40q", errLinks, target)
		}
		m.Board, m.Firmware = attributes["bd"], attributes["fw"]
	}
	return nil
}

func number(s string) (uint32, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: number %.20q", errLinks, s)
	}
	return uint32(n), nil
}

// linkScanner takes links off the head of rest.
type linkScanner struct{ rest string }

// link takes one link and the comma behind it: <target> *( ";" name [ "=" ( token / quoted ) ] )
func (s *linkScanner) link() (target string, attributes map[string]string, err error) {
	s.space()
	if !strings.HasPrefix(s.rest, "<") {
		return "", nil, fmt.Errorf("%w: want <", errLinks)
	}
	target, rest, ok := strings.Cut(s.rest[1:], ">")
	if !ok {
		return "", nil, fmt.Errorf("%w: want >", errLinks)
	}
	s.rest = rest
	attributes = make(map[string]string)
	for {
		s.space()
		if s.rest == "" {
			return target, attributes, nil
		}
		c := s.rest[0]
		s.rest = s.rest[1:]
		switch c {
		case ',':
			if s.space(); s.rest == "" {
				return "", nil, fmt.Errorf("%w: nothing after a comma", errLinks)
			}
			return target, attributes, nil
		case ';':
			if err := s.attribute(attributes); err != nil {
				return "", nil, err
			}
		default:
			return "", nil, fmt.Errorf("%w: %.1q after a link", errLinks, c)
		}
	}
}

func (s *linkScanner) attribute(into map[string]string) error {
	s.space()
	end := strings.IndexAny(s.rest, "=;, \r\n\t")
	if end < 0 {
		end = len(s.rest)
	}
	name := s.rest[:end]
	if name == "" {
		return fmt.Errorf("%w: attribute without a name", errLinks)
	}
	s.rest = s.rest[end:]
	value := ""
	if strings.HasPrefix(s.rest, "=") {
		s.rest = s.rest[1:]
		var err error
		if value, err = s.value(); err != nil {
			return err
		}
	}
	if _, twice := into[name]; !twice { // RFC 6690 section 2: the first one counts
		into[name] = value
	}
	return nil
}

func (s *linkScanner) value() (string, error) {
	if !strings.HasPrefix(s.rest, `"`) {
		end := strings.IndexAny(s.rest, ";, \r\n\t")
		if end < 0 {
			end = len(s.rest)
		}
		value := s.rest[:end]
		s.rest = s.rest[end:]
		return value, nil
	}
	var b strings.Builder
	for i := 1; i < len(s.rest); i++ {
		switch c := s.rest[i]; c {
		case '"':
			s.rest = s.rest[i+1:]
			return b.String(), nil
		case '\\':
			if i++; i == len(s.rest) {
				return "", fmt.Errorf("%w: want \"", errLinks)
			}
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("%w: want \"", errLinks)
}

func (s *linkScanner) space() { s.rest = strings.TrimLeft(s.rest, " \r\n\t") }
