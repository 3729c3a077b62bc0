package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A local process that does not serve by then will not.
const startLimit = 60 * time.Second

// Process is a child of ours with a log file.
type Process struct {
	name    string
	command *exec.Cmd
	log     string
	// Closed when the process has ended.
	ended chan struct{}
}

// startProcess runs a program with its log in a folder.
func startProcess(name, folder string, command *exec.Cmd) (*Process, error) {
	log := filepath.Join(folder, name+".log")
	output, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer output.Close()
	command.Stdout, command.Stderr = output, output
	// With us, however we go. The kernel counts the death of the thread that started it.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	process := &Process{name, command, log, make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(process.ended)
	}()
	return process, nil
}

// await waits until the process serves; where it does not in time, it is ended.
func (p *Process) await(serves func() bool) error {
	deadline := time.After(startLimit)
	for !serves() {
		select {
		case <-p.ended:
			return fmt.Errorf("%s ended; the end of its log:\n%s", p.name, p.logTail())
		case <-deadline:
			p.end()
			return fmt.Errorf("%s does not serve after %v; the end of its log:\n%s", p.name, startLimit, p.logTail())
		case <-time.After(poll):
		}
	}
	return nil
}

func (p *Process) pid() int {
	return p.command.Process.Pid
}

func (p *Process) logTail() string {
	text, _ := os.ReadFile(p.log)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(len(lines)-10, 0):], "\n")
}

// end kills the process: what it does on a graceful shutdown may take minutes and is not measured.
func (p *Process) end() {
	_ = p.command.Process.Kill()
	<-p.ended
}

// freeAddress is one that was free on loopback a moment ago.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("no port is free on 127.0.0.1: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

func listens(address string) bool {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	connection.Close()
	return true
}
