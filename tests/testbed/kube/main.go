// A kube-apiserver for tests, without nodes, controllers or a scheduler.
//
//	kube-apiserver FOLDER ETCD PORT [OPTION...]
//
// FOLDER holds tokens.csv and gets the certificates; further options win.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: kube-apiserver FOLDER ETCD PORT [OPTION...]")
		os.Exit(2)
	}
	folder, etcd, port := os.Args[1], os.Args[2], os.Args[3]
	key := filepath.Join(folder, "service-account.key")
	if err := ensureKey(key); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	command := app.NewAPIServerCommand()
	command.SetArgs(append([]string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + port,
		"--cert-dir=" + folder,
		"--token-auth-file=" + filepath.Join(folder, "tokens.csv"),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://127.0.0.1:" + port + "/",
		"--service-account-key-file=" + key,
		"--service-account-signing-key-file=" + key,
		"--service-cluster-ip-range=10.0.0.0/24",
		// Pods of a test have no service account, and nobody is behind the Service of the API.
		"--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none",
	}, os.Args[4:]...))
	os.Exit(cli.Run(command))
}

// ensureKey keeps the key of an earlier start, so that its tokens stay good.
func ensureKey(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	bytes, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "EC PRIVATE KEY", Bytes: bytes}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}
