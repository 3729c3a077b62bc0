package main

import (
	"context"
	"fmt"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// An etcd on loopback that does not answer by then will not.
const dialLimit = 10 * time.Second

// Stage is a run: the processes, the clients and the writer, and what its phases do to them.
type Stage struct {
	scenario Scenario
	store    *clientv3.Client
	typha    *Process
	fleet    *Fleet
	// Nil before it begins.
	writer *Writer
	// How many clients do not read now.
	held int
	// Usage before the first client.
	idle Sample
	// Usage when measuring began.
	begun Sample
}

// Measure runs a scenario against a calico-typha of its own, over the etcd at a URL or, without one, over one of its own.
func Measure(scenario Scenario, program, url string) (*Report, error) {
	load, err := loadAverage()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "cattail-syncload-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	removeWhenInterrupted(folder)
	serverFiles, clientFiles, err := certificates(folder)
	if err != nil {
		return nil, err
	}
	if url == "" {
		var etcd *Process
		if etcd, url, err = startEtcd(folder); err != nil {
			return nil, err
		}
		defer etcd.end()
	}
	store, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, DialTimeout: dialLimit})
	if err != nil {
		return nil, fmt.Errorf("etcd %s: %w", url, err)
	}
	defer store.Close()
	if err := seed(context.Background(), store, scenario.Keys); err != nil {
		return nil, err
	}
	defer tidy(context.Background(), store)
	typha, address, err := startTypha(program, url, folder, serverFiles)
	if err != nil {
		return nil, err
	}
	defer typha.end()
	stage := &Stage{scenario: scenario, store: store, typha: typha}
	stage.fleet = newFleet(scenario, address, clientFiles)
	defer stage.fleet.end()
	report, err := stage.play()
	if err != nil {
		return nil, fmt.Errorf("%w; the end of calico-typha's log:\n%s", err, typha.logTail())
	}
	report.LoadAverage = load
	return report, nil
}

// play runs the phases.
func (s *Stage) play() (*Report, error) {
	var err error
	if s.idle, err = s.sample(); err != nil {
		return nil, err
	}
	for _, phase := range scenarios[s.scenario.Name] {
		if err := phase(s); err != nil {
			return nil, err
		}
	}
	ended, err := s.sample()
	if err != nil {
		return nil, err
	}
	return s.report(ended), nil
}

// Sample is both processes' usage at one moment.
type Sample struct {
	at          time.Time
	server, own Usage
}

func (s *Stage) sample() (Sample, error) {
	server, err := usageOf(s.typha.pid())
	if err != nil {
		return Sample{}, err
	}
	own, err := usageOf(os.Getpid())
	return Sample{time.Now(), server, own}, err
}
