package main

import (
	"os"
	"os/signal"
	"syscall"
)

// What shells call the exit of a program that SIGINT ended.
const interrupted = 130

// removeWhenInterrupted leaves nothing behind where the run is ended early: children die with us.
func removeWhenInterrupted(folder string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-signals
		_ = os.RemoveAll(folder)
		os.Exit(interrupted)
	}()
}
