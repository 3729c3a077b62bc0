// Command syncload does to the real Calico Typha what loadtest does to ours, and reports it under the same names.
//
// It starts a calico-typha with mutual TLS, and an etcd unless it is told of one, connects many clients that use Calico's own sync library, all in
// this process, writes by an open-loop schedule and counts latency from the intended time. The server's CPU and memory
// are read from /proc. What is measured follows loadtest's definitions; docs/performance.md says where the two differ.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"

	"github.com/sirupsen/logrus"
)

// Children are started by the main goroutine and die with its thread.
func init() {
	runtime.LockOSThread()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "syncload:", err)
		os.Exit(1)
	}
}

func run() error {
	var scenario Scenario
	flag.StringVar(&scenario.Name, "scenario", "fanout", "what to do: "+scenarioNames())
	flag.IntVar(&scenario.Clients, "clients", 1000, "clients, each with a stream of its own")
	flag.IntVar(&scenario.Keys, "keys", 1000, "keys that exist before the clients connect")
	flag.Float64Var(&scenario.Rate, "rate", 10, "datastore transactions a second")
	flag.IntVar(&scenario.Transaction, "transaction", 1, "keys written by each transaction")
	flag.IntVar(&scenario.Burst, "burst", 1, "transactions that are intended for the same moment; the rate stays the same")
	flag.Float64Var(&scenario.Seconds, "seconds", 10, "how long writes go on")
	typha := flag.String("typha", "", "the calico-typha program")
	etcd := flag.String("etcd", "", "use the etcd at this URL, and delete from it what was written, instead of starting one")
	file := flag.String("json", "", "write the report as JSON here")
	flag.Parse()
	if err := scenario.check(); err != nil {
		return err
	}
	if *typha == "" {
		return fmt.Errorf("--typha is needed: the calico-typha program")
	}
	// The library logs whatever befalls a connection, our ending it included; cut streams are counted in the accounts.
	logrus.SetLevel(logrus.FatalLevel)

	report, err := Measure(scenario, *typha, *etcd)
	if err != nil {
		return err
	}
	if err := report.write(*file); err != nil {
		return err
	}
	if report.Lost > 0 {
		return fmt.Errorf("%d client-updates were lost", report.Lost)
	}
	return nil
}
