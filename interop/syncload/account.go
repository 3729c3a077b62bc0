package main

import (
	"sync"
	"time"

	"github.com/projectcalico/calico/libcalico-go/lib/backend/api"
)

// Account is what one client received: every update is delivered, conflated into a later one of its key, or lost.
//
// It is what the sync library calls back, from one goroutine at a time; the lock is for those who look on.
type Account struct {
	lock sync.Mutex
	// Wakes the library's goroutine where it is held.
	released *sync.Cond
	// While held, calls do not return: nothing is read, and the socket fills up as that of a hung process would.
	held bool
	// Keys that exist.
	keys int
	// When writes were intended; nil before the first one is.
	schedule *Schedule
	// The last write received of each written key; 0 before any.
	last []uint32
	// The last write of each written key, as the scenario has it.
	want []uint32
	// Keys of the snapshot that came since the stream began.
	snapshot int
	// Whether the stream is in sync.
	inSync bool
	// Keys not yet at their last write.
	behind int
	// When the client was told to get everything; zero where nobody waits for that.
	since time.Time
	// Whether it stopped reading at some time.
	stalled bool

	// What happened.
	delivered, cut int
	// From a write's intended time to our being called, microseconds.
	latencies []uint32
	// From `since` until it had everything, microseconds.
	inSyncAfter []uint32
}

func newAccount(scenario Scenario, want []uint32) *Account {
	account := &Account{keys: scenario.Keys, last: make([]uint32, len(want)), want: want}
	account.released = sync.NewCond(&account.lock)
	for _, number := range want {
		if number > 0 {
			account.behind++
		}
	}
	return account
}

// OnStatusUpdated is called when the stream's state changes.
func (a *Account) OnStatusUpdated(status api.SyncStatus) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.inSync = status == api.InSync
	a.note(time.Now())
}

// OnUpdates is not called: the library prefers OnUpdatesKeysKnown.
func (a *Account) OnUpdates(updates []api.Update) {
	a.OnUpdatesKeysKnown(updates, nil)
}

// OnUpdatesKeysKnown is called with what arrived in one message.
func (a *Account) OnUpdatesKeysKnown(updates []api.Update, _ []string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	for a.held {
		a.released.Wait()
	}
	now := time.Now()
	for _, update := range updates {
		if index, number, ours := stamp(update); ours {
			a.take(index, number, now)
		}
	}
	a.note(now)
}

func (a *Account) take(index int, number uint32, now time.Time) {
	if !a.inSync {
		a.snapshot++
	}
	// Repeated after a reconnect, or from before the run.
	if index >= len(a.last) || number <= a.last[index] || a.schedule == nil {
		return
	}
	a.last[index] = number
	if number == a.want[index] {
		a.behind--
	}
	a.delivered++
	a.latencies = append(a.latencies, microseconds(now.Sub(a.schedule.intendedWrite(number))))
}

// note records that the client got everything, where somebody waits for that.
func (a *Account) note(now time.Time) {
	if !a.since.IsZero() && a.isComplete() {
		a.inSyncAfter = append(a.inSyncAfter, microseconds(now.Sub(a.since)))
		a.since = time.Time{}
	}
}

func (a *Account) isComplete() bool {
	return a.inSync && a.snapshot >= a.keys && (a.schedule == nil || a.behind == 0)
}

// OnTyphaConnectionRestarted is called when a stream ended, whether by us, and another one would begin.
func (a *Account) OnTyphaConnectionRestarted() {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.cut++
	a.inSync = false
	a.snapshot = 0
}

// Totals are what all clients together received.
type Totals struct {
	delivered, conflated, lost, cut int
}

func (a *Account) addTo(totals *Totals, writes int) {
	totals.delivered += a.delivered
	// A key that is not at its last write has lost at least that one; the others' gaps were filled by later writes.
	totals.lost += a.behind
	totals.conflated += max(writes-a.delivered-a.behind, 0)
	totals.cut += a.cut
}

func microseconds(duration time.Duration) uint32 {
	return uint32(max(duration.Microseconds(), 0))
}
