package proxy

import (
	"strings"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

// named is a request whose naming options are read and taken out.
type named struct {
	req     *coap.Message // a copy; options may be changed, their bytes not
	service edgeistry.ServiceID
	own     bool // it names no service but this node
}

// name reads Proxy-Uri, Proxy-Scheme, Uri-Host and Uri-Port. It gives a refusal if they name nothing that is ours to
// reach.
func name(from coap.Source, req *coap.Message) (named, *coap.Message) {
	n := named{req: &coap.Message{
		Code: req.Code, Payload: req.Payload, Options: append([]coap.Option(nil), req.Options...),
	}}
	_, protected := req.Get(coap.OptionRequest)
	host, hasHost := req.Get(coap.OptionURIHost)
	uri, hasURI := req.Get(coap.OptionProxyURI)
	scheme, hasScheme := req.Get(coap.OptionProxyScheme)
	for _, o := range []uint16{
		coap.OptionURIHost, coap.OptionURIPort, coap.OptionProxyURI, coap.OptionProxyScheme,
	} {
		n.req.Remove(o)
	}
	switch {
	case hasURI && protected:
		return n, capability.Refusal(capability.ReasonBadOption)
	case hasURI:
		u, err := coap.ParseURI(string(uri))
		if err != nil || (u.Port != "" && u.Port != "5683") {
			return n, refuseProxying()
		}
		// RFC 7252 section 5.10.2: Proxy-Uri takes precedence over the Uri-* options.
		n.req.Remove(coap.OptionURIPath)
		n.req.Remove(coap.OptionURIQuery)
		for _, segment := range u.Path {
			n.req.Add(coap.OptionURIPath, []byte(segment))
		}
		for _, query := range u.Queries {
			n.req.Add(coap.OptionURIQuery, []byte(query))
		}
		host, hasHost = []byte(u.Host), true
	case hasScheme:
		if !strings.EqualFold(string(scheme), "coap") || !hasHost {
			return n, refuseProxying()
		}
	}
	if !hasHost {
		n.own = true
		return n, nil
	}
	id, err := edgeistry.ParseServiceID(strings.ToLower(string(host)))
	switch {
	case err == nil:
		n.service = id
		return n, nil
	case !hasURI && !hasScheme && (from.Local || from.Datagram): // the name by which the client found this node
		n.own = true
		return n, nil
	}
	return n, refuseProxying()
}

func refuseProxying() *coap.Message {
	return said(&coap.Message{Code: coap.CodeProxyNotSupported}, "only services of the mesh: coap://k51.../...")
}
