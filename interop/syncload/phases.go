package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"time"
)

const (
	// Clients that may be connecting at a time where connecting is not what is measured.
	connecting = 100
	// Time for every client to connect and take the snapshot.
	connectLimit = 5 * time.Minute
	// Time for the last write to reach every client.
	drainLimit = 2 * time.Minute
)

func announce(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+" ...\n", arguments...)
}

// connect brings up all clients, a hundred at a time, until all have everything.
func connect(s *Stage) error {
	announce("Connecting %d clients, %d at a time", s.scenario.Clients, connecting)
	return s.fleet.launch(connecting, connectLimit)
}

// storm brings up all clients at once.
func storm(s *Stage) error {
	announce("Connecting %d clients at once", s.scenario.Clients)
	return s.fleet.storm(connectLimit)
}

// measure begins what is reported.
func measure(s *Stage) (err error) {
	announce("Measuring from here")
	s.begun, err = s.sample()
	return err
}

// write begins to write; the next phases run beside it.
func write(s *Stage) error {
	announce("Writing %g transactions/s for %.0f s", s.scenario.Rate, s.scenario.Seconds)
	schedule := s.scenario.schedule(time.Now())
	s.fleet.each(func(_ int, account *Account) { account.schedule = &schedule })
	s.writer = startWriter(context.Background(), s.store, s.scenario, schedule)
	return nil
}

// arrive waits until writing has ended and every client that reads has everything.
func arrive(s *Stage) error {
	announce("Waiting until all is written and has arrived")
	if err := s.writer.finish(); err != nil {
		return err
	}
	return s.fleet.reach(s.held, drainLimit)
}

// pause does nothing for so many seconds.
func pause(seconds float64) Phase {
	return func(*Stage) error {
		time.Sleep(time.Duration(seconds * float64(time.Second)))
		return nil
	}
}

// stall makes so many percent of the clients stop reading.
func stall(percent float64) Phase {
	return func(s *Stage) error {
		announce("Stalling %g %% of the clients", percent)
		s.held = int(math.Ceil(float64(s.scenario.Clients) * percent / 100))
		s.fleet.stall(s.held)
		return nil
	}
}

// disconnect cuts every connection, and the clients stay away.
func disconnect(s *Stage) error {
	announce("Cutting every connection")
	s.held = s.scenario.Clients
	s.fleet.disconnect()
	return nil
}

// release lets clients that stalled or stay away go on, all at once, and waits until all have everything.
func release(s *Stage) error {
	announce("Letting all clients go on")
	s.held = 0
	if err := s.writer.finish(); err != nil {
		return err
	}
	s.fleet.release()
	return s.fleet.reach(0, drainLimit)
}
