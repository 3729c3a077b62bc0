package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

const (
	// The common name of the typha's certificate.
	typhaCN = "typha-server"
	// The common name of every client's certificate.
	clientCN = "typha-client"
	// Longer than any run.
	validity = 24 * time.Hour
)

// Authority issues the certificates of one run: P-256 keys, as loadtest's are.
type Authority struct {
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

// Files are where one party's certificate is, its key, and the authority that signs the other party's.
type Files struct {
	Cert, Key, CA string
}

func newAuthority(folder string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := template("syncload")
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	authority := &Authority{folder, cert, key}
	return authority, writePEM(authority.caFile(), "CERTIFICATE", der)
}

func (a *Authority) caFile() string {
	return filepath.Join(a.folder, "ca.crt")
}

// issue makes a certificate for both ends of a connection and writes it.
func (a *Authority) issue(commonName string) (Files, error) {
	base := filepath.Join(a.folder, commonName)
	files := Files{Cert: base + ".crt", Key: base + ".key", CA: a.caFile()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return files, err
	}
	template := template(commonName)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return files, err
	}
	if err := writePEM(files.Cert, "CERTIFICATE", der); err != nil {
		return files, err
	}
	der, err = x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return files, err
	}
	return files, writePEM(files.Key, "PRIVATE KEY", der)
}

func template(commonName string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(validity),
	}
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// certificates of the server and of all clients.
func certificates(folder string) (server, client Files, err error) {
	authority, err := newAuthority(folder)
	if err != nil {
		return server, client, err
	}
	if server, err = authority.issue(typhaCN); err != nil {
		return server, client, err
	}
	client, err = authority.issue(clientCN)
	return server, client, err
}
