package state

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
)

// errYAML says that a text is no YAML that a home holds.
var errYAML = errors.New("not valid YAML")

// decodeYAML reads one document; unknown keys are errors, and an empty text is io.EOF. The parser panics on some malformed
// texts (a tag without a value); a person's typing error must not end the program.
func decodeYAML(data []byte, into any) (err error) {
	if len(data) > maxFile {
		return fmt.Errorf("larger than %d bytes", maxFile)
	}
	defer func() {
		if recover() != nil {
			err = errYAML
		}
	}()
	return yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(into)
}
