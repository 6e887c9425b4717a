// Package server serves a node's HTTP API on loopback, as docs/spec/api.md describes it.
//
// It checks where a request comes from and its bearer token, bounds the number of requests, the size of a body and the time,
// decodes strictly, calls one method of the node, and encodes the result. It knows the node as small interfaces, a resource each,
// and never imports it. Before a client sends its token, the server proves that it knows it (api.Prove).
//
//	l, err := server.Listen("127.0.0.1:7780")
//	if err != nil {
//		return err
//	}
//	s, err := server.New(ctx, n, l, server.Config{ErrorOf: n.asAPIError})
//	if err != nil {
//		return errors.Join(err, l.Close())
//	}
//	defer s.Close(ctx)
package server
