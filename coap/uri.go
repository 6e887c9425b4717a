package coap

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxURI bounds a URI in bytes; Proxy-Uri has the same bound (RFC 7252 section 5.10).
const maxURI = 1034

// errURI reports that a text is no coap URI of this profile.
var errURI = errors.New("not a coap URI")

// URI is a coap URI in the parts that become options: nothing is percent-encoded any more.
type URI struct {
	Host    string // lower case
	Port    string // "" if absent
	Path    []string
	Queries []string
}

// ParseURI splits an absolute URI of scheme coap as RFC 7252 section 6.4 says. There is no fragment and no user.
func ParseURI(text string) (URI, error) {
	var u URI
	if len(text) > maxURI {
		return u, fmt.Errorf("%w: %d bytes", errURI, len(text))
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || !strings.EqualFold(scheme, "coap") {
		return u, fmt.Errorf("%w: want coap://", errURI)
	}
	for i := range len(rest) {
		if rest[i] <= 0x20 || rest[i] >= 0x7F || strings.IndexByte(`#"<>\^{|}`+"`", rest[i]) >= 0 {
			return u, fmt.Errorf("%w: character %.1q", errURI, rest[i])
		}
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if err := u.authority(rest[:end]); err != nil {
		return u, err
	}
	path, query, hasQuery := strings.Cut(rest[end:], "?")
	if err := u.path(path); err != nil {
		return u, err
	}
	if hasQuery {
		for q := range strings.SplitSeq(query, "&") {
			text, err := unescape(q)
			if err != nil {
				return u, err
			}
			u.Queries = append(u.Queries, text)
		}
	}
	return u, nil
}

func (u *URI) authority(text string) error {
	if strings.ContainsRune(text, '@') {
		return fmt.Errorf("%w: it names a user", errURI)
	}
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 && !strings.HasSuffix(text, "]") {
		host, port = text[:i], text[i+1:]
	}
	for i := range len(port) {
		if port[i] < '0' || port[i] > '9' || len(port) > 5 {
			return fmt.Errorf("%w: port", errURI)
		}
	}
	host, err := unescape(host)
	if err != nil {
		return err
	}
	if host == "" || len(host) > 255 {
		return fmt.Errorf("%w: host", errURI)
	}
	u.Host, u.Port = strings.ToLower(host), port
	return nil
}

func (u *URI) path(text string) error {
	if text == "" || text == "/" {
		return nil
	}
	for segment := range strings.SplitSeq(text[1:], "/") {
		segment, err := unescape(segment)
		if err != nil {
			return err
		}
		if segment == "." || segment == ".." || len(segment) > 255 {
			return fmt.Errorf("%w: path", errURI)
		}
		u.Path = append(u.Path, segment)
	}
	return nil
}

// unescape decodes percent-encoding.
func unescape(s string) (string, error) {
	text, err := url.PathUnescape(s)
	if err != nil {
		return "", fmt.Errorf("%w: percent-encoding", errURI)
	}
	return text, nil
}
