// Bench/keys makes an RSA-2048 and a P-256 key and a signature of each, as a C header on stdout: what the baselines of firmware/bench sign and
// verify with. They are made for each run and kept nowhere.
package main

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"os"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench/keys:", err)
		os.Exit(1)
	}
}

func run(to io.Writer) error {
	digest := sha256.Sum256([]byte("valve 20"))
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	rsaSig, err := rsa.SignPKCS1v15(nil, r, crypto.SHA256, digest[:])
	if err != nil {
		return err
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	// Without a source of randomness the signature is RFC 6979's, which BearSSL makes too.
	der, err := e.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return err
	}
	var rs struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &rs); err != nil {
		return err
	}
	private, err := e.Bytes()
	if err != nil {
		return err
	}
	public, err := e.PublicKey.Bytes()
	if err != nil {
		return err
	}

	w := bufio.NewWriter(to)
	fmt.Fprintln(w, "/* Made by bench/keys for one run. */")
	for _, a := range []struct {
		name string
		data []byte
	}{
		{"key_digest", digest[:]},
		{"key_rsa_n", r.N.Bytes()},
		{"key_rsa_e", big.NewInt(int64(r.E)).Bytes()},
		{"key_rsa_p", r.Primes[0].Bytes()},
		{"key_rsa_q", r.Primes[1].Bytes()},
		{"key_rsa_dp", r.Precomputed.Dp.FillBytes(make([]byte, 128))},
		{"key_rsa_dq", r.Precomputed.Dq.FillBytes(make([]byte, 128))},
		{"key_rsa_iq", r.Precomputed.Qinv.FillBytes(make([]byte, 128))},
		{"key_rsa_signature", rsaSig},
		{"key_p256_private", private},
		{"key_p256_public", public},
		{"key_p256_signature", append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)},
	} {
		fmt.Fprintf(w, "static uint8_t %s[] __attribute__((unused)) = {", a.name)
		for i, b := range a.data {
			if i%24 == 0 {
				fmt.Fprint(w, "\n    ")
			}
			fmt.Fprintf(w, "%d,", b)
		}
		fmt.Fprintln(w, "\n};")
	}
	return w.Flush()
}
