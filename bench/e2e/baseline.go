package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// baseline is the published path reduced to what it must do: a device opens a TLS connection under RSA-2048 on both sides,
// posts its reading to an HTTPS server, and the server answers when the reading and the effect of handling it are on disk.
type baseline struct {
	url    string
	client *tls.Config
	server *http.Server
	files  [2]*os.File // readings, effects
	done   chan error
}

func startBaseline(dir string) (*baseline, error) {
	serverCert, err := selfSigned("server")
	if err != nil {
		return nil, err
	}
	clientCert, err := selfSigned("device")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(serverCert.Leaf)
	clients := x509.NewCertPool()
	clients.AddCert(clientCert.Leaf)
	b := &baseline{done: make(chan error, 1), client: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{clientCert}, ServerName: "localhost", CipherSuites: rsaSuites, MaxVersion: tls.VersionTLS12}}
	for i, name := range []string{"readings", "effects"} {
		if b.files[i], err = os.Create(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{serverCert}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, CipherSuites: rsaSuites, MaxVersion: tls.VersionTLS12})
	if err != nil {
		return nil, err
	}
	b.url = "https://localhost:" + fmt.Sprint(l.Addr().(*net.TCPAddr).Port) + "/"
	b.server = &http.Server{Handler: http.HandlerFunc(b.store), ReadHeaderTimeout: 10 * time.Second}
	go func() { b.done <- b.server.Serve(l) }()
	return b, nil
}

// The suites of the published comparison: TLS 1.2 with an RSA certificate, session resumption not used.
var rsaSuites = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}

func (b *baseline) store(w http.ResponseWriter, r *http.Request) {
	reading, err := io.ReadAll(io.LimitReader(r.Body, 1<<10))
	for _, f := range b.files {
		if err == nil {
			_, err = f.Write(reading)
		}
		if err == nil {
			err = f.Sync()
		}
	}
	if err != nil {
		http.Error(w, "not stored", http.StatusInternalServerError)
	}
}

// send is one reading on a connection of its own: handshake, post, both syncs, answer.
func (b *baseline) send(ctx context.Context, reading []byte) (time.Duration, error) {
	transport := &http.Transport{TLSClientConfig: b.client, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	start := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(reading))
	if err != nil {
		return 0, err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("baseline server: %s", resp.Status)
	}
	return time.Since(start), nil
}

func (b *baseline) close() error {
	err := b.server.Close()
	if serve := <-b.done; !errors.Is(serve, http.ErrServerClosed) {
		err = errors.Join(err, serve)
	}
	return errors.Join(err, b.files[0].Close(), b.files[1].Close())
}

func selfSigned(name string) (tls.Certificate, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}
