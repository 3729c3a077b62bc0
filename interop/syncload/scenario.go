package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Writes go round robin over this many keys at most, as loadtest's do.
const writtenKeysMax = 1000

// The most keys that one transaction may write: etcd's default limit of operations.
const transactionMax = 128

// Scenario is what a run does. Its fields are those of loadtest's scenario files.
type Scenario struct {
	Name        string
	Clients     int
	Keys        int
	Rate        float64
	Transaction int
	Burst       int
	Seconds     float64
}

// Phase is a step of a scenario.
type Phase func(*Stage) error

// What each of loadtest's scenarios consists of, as its file says; those that Calico's Typha can be put through.
var scenarios = map[string][]Phase{
	"fanout":    {connect, pause(1), measure, write, arrive},
	"burst":     {connect, pause(1), measure, write, arrive},
	"snapshot":  {measure, storm},
	"reconnect": {connect, pause(1), measure, disconnect, write, pause(2), release, arrive},
	"stalled":   {connect, pause(1), measure, stall(10), write, arrive, release},
}

func scenarioNames() string {
	return strings.Join(slices.Sorted(maps.Keys(scenarios)), ", ")
}

func (s Scenario) check() error {
	if _, known := scenarios[s.Name]; !known {
		return fmt.Errorf("there is no scenario %q; there is: %s", s.Name, scenarioNames())
	}
	if s.Clients < 1 || s.Keys < 1 || s.Burst < 1 {
		return fmt.Errorf("--clients, --keys and --burst must be at least 1")
	}
	if s.Transaction < 1 || s.Transaction > transactionMax || s.Transaction > s.writtenKeys() {
		return fmt.Errorf("--transaction must be from 1 to %d and not above --keys (%d)", transactionMax, s.Keys)
	}
	if !(s.Rate > 0 && s.Seconds > 0) || math.IsInf(s.Rate, 0) || math.IsInf(s.Seconds, 0) {
		return fmt.Errorf("--rate and --seconds must be above 0")
	}
	if s.Rate*s.Seconds*float64(s.Transaction) > numberMax {
		return fmt.Errorf("more than %d writes cannot be numbered; lower --rate or --seconds", numberMax)
	}
	return nil
}

// writtenKeys says how many of the keys are written.
func (s Scenario) writtenKeys() int {
	return min(s.Keys, writtenKeysMax)
}

// transactions of the whole run; at least one, where there are any.
func (s Scenario) transactions() int {
	if s.Name == "snapshot" {
		return 0
	}
	return max(int(math.Round(s.Rate*s.Seconds)), 1)
}

// writes of the whole run, in keys.
func (s Scenario) writes() int {
	return s.transactions() * s.Transaction
}

// key that write number `number` goes to; numbers count from 1.
func (s Scenario) key(number uint32) int {
	return int(number-1) % s.writtenKeys()
}

// lastWrites has the number of the last write of each written key; 0 where there is none.
func (s Scenario) lastWrites() []uint32 {
	last := make([]uint32, s.writtenKeys())
	for number := uint32(1); int(number) <= s.writes(); number++ {
		last[s.key(number)] = number
	}
	return last
}

// Schedule is open-loop: a late write is late, and the next one is not moved.
type Schedule struct {
	start time.Time
	// Time between two groups of transactions.
	interval time.Duration
	// Transactions of a group, all intended for the same moment.
	burst int
	// Keys of a transaction.
	transaction int
}

func (s Scenario) schedule(start time.Time) Schedule {
	interval := time.Duration(float64(s.Burst) / s.Rate * float64(time.Second))
	return Schedule{start, interval, s.Burst, s.Transaction}
}

// intended says when a transaction is to happen; they count from 0.
func (s Schedule) intended(transaction int) time.Time {
	return s.start.Add(time.Duration(transaction/s.burst) * s.interval)
}

// intendedWrite says when write number `number` is to happen.
func (s Schedule) intendedWrite(number uint32) time.Time {
	return s.intended(int(number-1) / s.transaction)
}
