// Package state is the directory that a node lives in: its identity, configuration, keys and capabilities.
//
//	HOME/                  0700
//	  version              "1"; written last by Init, so that an interrupted Init is seen
//	  identity.key         Ed25519 key of the node                                    0600
//	  service.key          key and epoch key of the service that the node itself is   0600
//	  config.yaml          see package config
//	  lock                 held by the running node; holds its process ID
//	  api                  address and token of the running node's HTTP API           0600
//	  keystore/ID.key      key, epoch key, epoch and generations of an owned service  0600
//	  keychain/NAME/CAP    the text of one capability                                 0600
//	  names/NAME           the ID of a service
//	  claims/ID.yaml       a claim that has begun and is not finished                 0600
//	  devices/ID.yaml      link and manifest of a device that this node is home to    0600
//	  revocations/ID.yaml  what was revoked of an owned service, and what of it the service has not confirmed 0600
//	  data/                the datastore
//
// It promises that every file is replaced whole or not at all (temporary file, fsync, rename, fsync of the folder),
// that nothing existing is overwritten by Init, that a damaged or world-readable secret is refused with an error that names the
// file and says what to do, and that no error holds a secret. It does not run anything, and it does not need a running
// node: the command line reads capabilities here with no network at all.
//
//	h, err := state.Open(dir)
//	if err != nil {
//		return err
//	}
//	lock, err := h.Lock()
//	if err != nil {
//		return err // "process 4711 already runs on /srv/edgeistry"
//	}
//	defer lock.Close()
//	c, err := h.Capability("greenhouse/owner")
package state
