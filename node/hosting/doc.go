// Package hosting answers for services out of the log store: for the node's own service, and for the copies of devices' logs.
//
// It promises: a request is judged by a guard of package capability before anything is done; what a revocation ended acts no
// more once the revocation is answered; a count is on disk before the request that spends it is answered. It does not know
// who listens: its Service is a coap.Handler.
//
//	s, err := hosting.New(ctx, key, hosting.Config{Store: store, Start: started, Boot: boot, Manifest: manifest, ...})
//	if err != nil {
//		return err
//	}
//	err = proxy.Host(s.ID(), s)
package hosting
