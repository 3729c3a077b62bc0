package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/projectcalico/calico/typha/pkg/discovery"
	"github.com/projectcalico/calico/typha/pkg/syncclient"
)

const (
	// Between two looks at all clients.
	poll = 50 * time.Millisecond
	// Between two lines about clients that are waited for.
	progress = 2 * time.Second
)

// Fleet is many clients in this process, each on Calico's own sync library.
type Fleet struct {
	scenario Scenario
	address  string
	files    Files
	// The last write of each key, which all accounts share.
	want     []uint32
	accounts []*Account
	// Ends the streams that are open.
	stop    context.CancelFunc
	streams context.Context
	running sync.WaitGroup
	// Whether the clients were sent away.
	away   bool
	failed chan error
}

func newFleet(scenario Scenario, address string, files Files) *Fleet {
	fleet := &Fleet{scenario: scenario, address: address, files: files, want: scenario.lastWrites()}
	fleet.failed = make(chan error, scenario.Clients)
	fleet.streams, fleet.stop = context.WithCancel(context.Background())
	return fleet
}

// launch starts clients and waits until all have everything: no more than `atOnce` of them without it at a time.
func (f *Fleet) launch(atOnce int, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for len(f.accounts) < f.scenario.Clients && time.Now().Before(deadline) {
		room := atOnce - f.incomplete(0)
		for range min(room, f.scenario.Clients-len(f.accounts)) {
			f.accounts = append(f.accounts, newAccount(f.scenario, f.want))
			f.start(len(f.accounts) - 1)
		}
		if len(f.accounts) < f.scenario.Clients {
			time.Sleep(poll)
		}
	}
	return f.reach(0, time.Until(deadline))
}

// storm starts all clients at once and records how long each takes.
func (f *Fleet) storm(limit time.Duration) error {
	since := time.Now()
	for number := range f.scenario.Clients {
		account := newAccount(f.scenario, f.want)
		account.since = since
		f.accounts = append(f.accounts, account)
		f.start(number)
	}
	return f.reach(0, limit)
}

func (f *Fleet) start(number int) {
	streams, account := f.streams, f.accounts[number]
	f.running.Add(1)
	go func() {
		defer f.running.Done()
		if err := f.client(streams, number, account); err != nil && streams.Err() == nil {
			f.failed <- err
		}
	}()
}

func (f *Fleet) client(ctx context.Context, number int, account *Account) error {
	host := fmt.Sprintf("loadtest-%05d", number)
	options := &syncclient.Options{KeyFile: f.files.Key, CertFile: f.files.Cert, CAFile: f.files.CA, ServerCN: typhaCN}
	typhas := discovery.New(discovery.WithAddrOverride(f.address))
	client := syncclient.New(typhas, "v3.31.0", host, "loadtest", account, options)
	if err := client.Start(ctx); err != nil {
		return fmt.Errorf("client %s: %w", host, err)
	}
	client.Finished.Wait()
	return fmt.Errorf("client %s gave up", host)
}

// reach waits until every client from number `first` on has everything.
func (f *Fleet) reach(first int, limit time.Duration) error {
	deadline, nextLine := time.Now().Add(limit), time.Now().Add(progress)
	for {
		clients, incomplete := len(f.accounts)-first, f.incomplete(first)
		if incomplete == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d clients do not have everything after %v", incomplete, clients, limit)
		}
		if time.Now().After(nextLine) {
			nextLine = nextLine.Add(progress)
			fmt.Fprintf(os.Stderr, "  %d of %d clients have everything\n", clients-incomplete, clients)
		}
		select {
		case err := <-f.failed:
			return err
		case <-time.After(poll):
		}
	}
}

func (f *Fleet) incomplete(first int) (count int) {
	f.each(func(number int, account *Account) {
		if number >= first && !account.isComplete() {
			count++
		}
	})
	return count
}

// each does something with every account while its lock is held.
func (f *Fleet) each(do func(number int, account *Account)) {
	for number, account := range f.accounts {
		account.lock.Lock()
		do(number, account)
		account.lock.Unlock()
	}
}

// stall holds the first `clients` clients; their latencies are kept apart from now on.
func (f *Fleet) stall(clients int) {
	f.each(func(number int, account *Account) {
		if number < clients {
			account.held, account.stalled = true, true
		}
	})
}

// disconnect ends every stream and keeps the clients away until release.
func (f *Fleet) disconnect() {
	f.each(func(_ int, account *Account) { account.stalled = true })
	f.end()
	f.away = true
}

// release lets held clients go on and brings back those that are away; how long each takes that lacks something is recorded.
func (f *Fleet) release() {
	since := time.Now()
	f.each(func(_ int, account *Account) {
		if !account.isComplete() {
			account.since = since
		}
		account.held = false
		account.released.Broadcast()
	})
	if !f.away {
		return
	}
	f.away = false
	f.streams, f.stop = context.WithCancel(context.Background())
	for number := range f.accounts {
		f.start(number)
	}
}

// end closes all streams and waits until the library is done with them.
func (f *Fleet) end() {
	f.each(func(_ int, account *Account) {
		account.held = false
		account.released.Broadcast()
	})
	f.stop()
	f.running.Wait()
}
