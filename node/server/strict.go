package server

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

var errBase64 = errors.New("not base64 with padding (RFC 4648 4) in its one form")

// strictBase64 decodes a []byte from a string, and takes only the text that encoding its bytes gives.
var strictBase64 = json.UnmarshalFromFunc(func(d *jsontext.Decoder, into *[]byte) error {
	switch d.PeekKind() {
	case '"':
	case 'n':
		*into = nil
		return d.SkipValue()
	default:
		return errBase64
	}
	t, err := d.ReadToken()
	if err != nil {
		return err
	}
	text := t.String()
	if strings.ContainsAny(text, "\r\n") { // package base64 skips them
		return errBase64
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return errBase64
	}
	*into = b
	return nil
})

// problem says for people what is wrong with a JSON text, without the names of Go's types.
func problem(err error) string {
	var semantic *json.SemanticError
	var syntactic *jsontext.SyntacticError
	where, what := jsontext.Pointer(""), "it is not valid JSON"
	switch {
	case errors.As(err, &semantic):
		where, what = semantic.JSONPointer, "it has the wrong type or is out of range"
		switch {
		case errors.Is(err, json.ErrUnknownName):
			what = "no such field; names count in their exact case"
		case errors.Is(err, errBase64):
			what = errBase64.Error()
		}
	case errors.As(err, &syntactic):
		where = syntactic.JSONPointer
		if errors.Is(err, jsontext.ErrDuplicateName) {
			what = "it stands twice"
		} else if syntactic.Err != nil {
			what = syntactic.Err.Error()
		}
	}
	if where == "" {
		return what
	}
	text := []rune(string(where))
	if len(text) > 60 {
		text = append(text[:60], '…')
	}
	return string(text) + ": " + what
}
