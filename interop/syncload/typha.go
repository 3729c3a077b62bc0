package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
)

// Above any number of clients: by default typha sheds those above 400.
const connectionsMax = "100000"

// startTypha starts a real calico-typha and waits until it is ready; the process and where it listens.
func startTypha(program, etcd, folder string, files Files) (*Process, string, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	health, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), typhaEnvironment(etcd, address, health, files)...)
	process, err := startProcess("calico-typha", folder, command)
	if err != nil {
		return nil, "", err
	}
	return process, address, process.await(func() bool { return isReady("http://" + health + "/readiness") })
}

func typhaEnvironment(etcd, address, health string, files Files) []string {
	host, port, _ := net.SplitHostPort(address)
	healthHost, healthPort, _ := net.SplitHostPort(health)
	return []string{
		"TYPHA_DATASTORETYPE=etcdv3", "TYPHA_ETCDENDPOINTS=" + etcd,
		"TYPHA_SERVERHOST=" + host, "TYPHA_SERVERPORT=" + port,
		"TYPHA_SERVERCERTFILE=" + files.Cert, "TYPHA_SERVERKEYFILE=" + files.Key,
		"TYPHA_CAFILE=" + files.CA, "TYPHA_CLIENTCN=" + clientCN,
		"TYPHA_MAXCONNECTIONSLOWERLIMIT=" + connectionsMax, "TYPHA_MAXCONNECTIONSUPPERLIMIT=" + connectionsMax,
		"TYPHA_LOGFILEPATH=none", "TYPHA_LOGSEVERITYSYS=none", "TYPHA_LOGSEVERITYSCREEN=warning",
		"TYPHA_HEALTHENABLED=true", "TYPHA_HEALTHHOST=" + healthHost, "TYPHA_HEALTHPORT=" + healthPort,
	}
}

func isReady(url string) bool {
	answer, err := http.Get(url)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
