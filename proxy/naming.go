package proxy

import (
	"strings"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// naming is what a request says about whom it is for. Of a repeated option the first counts.
type naming struct {
	host, uri, scheme          []byte
	hasHost, hasURI, hasScheme bool
}

func (n *naming) take(o coap.Option) {
	switch {
	case o.Number == coap.OptionURIHost && !n.hasHost:
		n.host, n.hasHost = o.Value, true
	case o.Number == coap.OptionProxyURI && !n.hasURI:
		n.uri, n.hasURI = o.Value, true
	case o.Number == coap.OptionProxyScheme && !n.hasScheme:
		n.scheme, n.hasScheme = o.Value, true
	}
}

// name fills in which service the request is for. It returns the options with the path and the queries that count: those of
// Proxy-Uri, if there is one, take precedence over Uri-Path and Uri-Query (RFC 7252 section 5.10.2).
func (r *request) name(n *naming, options []coap.Option) ([]coap.Option, *coap.Message) {
	switch {
	case n.hasURI && r.protected:
		return nil, capability.Refusal(capability.ReasonBadOption)
	case n.hasURI:
		u, err := coap.ParseURI(string(n.uri))
		if err != nil || (u.Port != "" && u.Port != "5683") {
			return nil, refuseProxying()
		}
		m := coap.Message{Options: append([]coap.Option(nil), options...)}
		m.Remove(coap.OptionURIPath)
		m.Remove(coap.OptionURIQuery)
		for _, segment := range u.Path {
			m.Add(coap.OptionURIPath, []byte(segment))
		}
		for _, query := range u.Queries {
			m.Add(coap.OptionURIQuery, []byte(query))
		}
		options = m.Options
		n.host, n.hasHost = []byte(u.Host), true
	case n.hasScheme:
		if !strings.EqualFold(string(n.scheme), "coap") || !n.hasHost {
			return nil, refuseProxying()
		}
	}
	if !n.hasHost {
		r.own = true
		return options, nil
	}
	id, err := edgeistry.ParseServiceID(strings.ToLower(string(n.host)))
	switch {
	case err == nil:
		r.service = id
		return options, nil
	case !n.hasURI && !n.hasScheme && (r.from.Local || r.from.Datagram): // the name by which the client found this node
		r.own = true
		return options, nil
	}
	return nil, refuseProxying()
}

func refuseProxying() *coap.Message {
	return said(&coap.Message{Code: coap.CodeProxyNotSupported}, "only services of the mesh: coap://k51.../...")
}
