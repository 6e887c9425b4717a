// Package yamlfile reads small YAML files strictly. Every file of the program that people or the node itself write in YAML is
// read here, so that its bounds stand once: MaxSize bytes, MaxDepth levels, one document, no anchors and no aliases (a few
// hundred bytes with them can stand for gigabytes), no unknown and no repeated keys.
//
//	var c Config
//	if err := yamlfile.Decode(data, &c); err != nil && !errors.Is(err, io.EOF) {
//		return yamlfile.Explain(err, yamlfile.Keys(c)) // line 3: unknown key "lisen" (known: listen, ...)
//	}
package yamlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a YAML text.
const (
	MaxSize  = 256 << 10 // bytes
	MaxDepth = 16        // lists and maps inside each other
)

// errSyntax means that the text is not YAML.
var errSyntax = errors.New("not valid YAML")

// Decode reads one document into a pointer to a struct. An empty text is io.EOF. Explain turns other errors into one line.
func Decode(data []byte, into any) (err error) {
	if len(data) > MaxSize {
		return fmt.Errorf("larger than %d bytes", MaxSize)
	}
	defer func() { // the parser panics on some malformed texts, like a tag without a value
		if recover() != nil {
			err = errSyntax
		}
	}()
	if err := check(data); err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := d.Decode(into); err != nil {
		return err
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return errors.New("more than one document")
	}
	return nil
}

// check refuses what the parser would follow without bound. It looks at tokens only, before anything is built from them.
func check(data []byte) error {
	var columns []int // of the block lists and maps that are open
	flow := 0
	var before *token.Token
	for _, t := range lexer.Tokenize(string(data)) {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return fmt.Errorf("line %d: anchors and aliases (& and *) are not allowed", t.Position.Line)
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.SequenceEntryType, token.MappingKeyType:
			columns = opened(columns, t.Position.Column)
		case token.MappingValueType:
			if before != nil && flow == 0 {
				columns = opened(columns, before.Position.Column)
			}
		}
		if flow+len(columns) > MaxDepth {
			return fmt.Errorf("line %d: %w", t.Position.Line, errDepth)
		}
		before = t
	}
	return nil
}

var errDepth = fmt.Errorf("more than %d lists and maps inside each other", MaxDepth)

// opened returns the columns of the open blocks after one has begun, or gone on, at column.
func opened(columns []int, column int) []int {
	for len(columns) > 0 && columns[len(columns)-1] >= column {
		columns = columns[:len(columns)-1]
	}
	return append(columns, column)
}

// Keys lists the keys of a struct's fields, in order.
func Keys(of any) []string {
	t := reflect.TypeOf(of)
	keys := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		keys = append(keys, name)
	}
	return keys
}

// Explain returns an error of Decode in one line: what is wrong and where. The parser's own text would show the source around
// the error, which may be a secret. known, if any, are the keys to suggest.
func Explain(err error, known []string) error {
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) && unknown.Token != nil {
		t := unknown.Token
		if len(known) == 0 {
			return fmt.Errorf("line %d: unknown key %.40q", t.Position.Line, t.Value)
		}
		return fmt.Errorf("line %d: unknown key %.40q (known: %s)", t.Position.Line, t.Value, strings.Join(known, ", "))
	}
	var duplicate *yaml.DuplicateKeyError
	if errors.As(err, &duplicate) && duplicate.Token != nil {
		return fmt.Errorf("line %d: key %.40q stands twice", duplicate.Token.Position.Line, duplicate.Token.Value)
	}
	var e yaml.Error
	if errors.As(err, &e) {
		if t := e.GetToken(); t != nil && t.Position != nil {
			return fmt.Errorf("line %d: %s", t.Position.Line, firstLine(e.GetMessage()))
		}
		return errors.New(firstLine(e.GetMessage()))
	}
	return errors.New(firstLine(err.Error()))
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}
