package main

// The sandbox's certificate, and the authority that signs it. Clients trust the authority once. It is constrained to the names
// of the sandbox, so a stolen key does little harm.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// Some systems refuse certificates of servers that live longer than 825 days.
const (
	serverLife    = 800 * 24 * time.Hour
	authorityLife = 10 * 365 * 24 * time.Hour
)

// authority is a certificate authority for one name.
type authority struct {
	pem    string          // its certificate
	server tls.Certificate // for the name and this machine
}

// newAuthority derives the authority's key from secret, so that a client that trusts it still does after a restart, although no
// disk keeps the key. Its certificate is another one each time, which clients do not compare. A program that knows the secret
// can act as the authority, but by the certificate's constraints only for the names of the sandbox.
func newAuthority(secret, name string) (*authority, error) {
	key, err := keyOf(secret)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	names := []string{"localhost"}
	addresses := []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}
	if ip := net.ParseIP(name); ip == nil {
		names = append(names, name)
	} else if v4 := ip.To4(); v4 != nil {
		addresses = append(addresses, v4)
	} else {
		addresses = append(addresses, ip)
	}
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "webanklive sandbox of " + name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(authorityLife), KeyUsage: x509.KeyUsageCertSign,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: names,
	}
	for _, ip := range addresses {
		ca.PermittedIPRanges = append(ca.PermittedIPRanges, &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))})
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, key.Public(), key)
	if err != nil {
		return nil, err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: "webanklive sandbox"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(serverLife), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, DNSNames: names, IPAddresses: addresses,
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, serverKey.Public(), key)
	if err != nil {
		return nil, err
	}
	return &authority{
		pem:    string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})),
		server: tls.Certificate{Certificate: [][]byte{leafDER, caDER}, PrivateKey: serverKey},
	}, nil
}

// keyOf returns a key of the P-256 curve, always the same for one secret.
func keyOf(secret string) (*ecdsa.PrivateKey, error) {
	curve := elliptic.P256()
	long, err := hkdf.Key(sha256.New, []byte(secret), nil, "webanklive sandbox: certificate authority", 48) // so that the remainder is uniform
	if err != nil {
		return nil, err
	}
	below := new(big.Int).Sub(curve.Params().N, big.NewInt(1))
	scalar := new(big.Int).Mod(new(big.Int).SetBytes(long), below)
	return ecdsa.ParseRawPrivateKey(curve, scalar.Add(scalar, big.NewInt(1)).FillBytes(make([]byte, 32)))
}
