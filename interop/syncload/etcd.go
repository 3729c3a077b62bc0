package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
)

// startEtcd starts the etcd found in PATH as loadtest does, with its data in a folder; the process and its URL.
func startEtcd(folder string) (*Process, string, error) {
	program, err := exec.LookPath("etcd")
	if err != nil {
		return nil, "", fmt.Errorf("there is no etcd in PATH; Debian's package is etcd-server")
	}
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	peer, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	url, peerURL := "http://"+address, "http://"+peer
	command := exec.Command(program,
		"--data-dir", filepath.Join(folder, "store"), "--log-level", "warn", "--name", "loadtest",
		"--listen-client-urls", url, "--advertise-client-urls", url,
		"--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL,
		"--initial-cluster", "loadtest="+peerURL)
	process, err := startProcess("etcd", folder, command)
	if err != nil {
		return nil, "", err
	}
	return process, url, process.await(func() bool { return listens(address) })
}
