package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// The kernel counts CPU time in ticks of 10 ms wherever Go runs on Linux today.
const tickUS = 10_000

// Usage is what the kernel says of a process at one moment.
type Usage struct {
	// User and system time since it started, microseconds.
	cpuUS int64
	// Resident set size, kilobytes.
	rssKB int64
	// What it wrote, sockets included, bytes.
	written int64
}

func usageOf(pid int) (Usage, error) {
	var usage Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return usage, fmt.Errorf("has the process died? %w", err)
	}
	// The command's name stands in parentheses and may hold anything; fields are counted from behind it.
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 13 {
		return usage, fmt.Errorf("/proc/%d/stat has no times", pid)
	}
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return usage, err
		}
		usage.cpuUS += ticks * tickUS
	}
	if usage.rssKB, err = number(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:"); err != nil {
		return usage, err
	}
	usage.written, err = number(fmt.Sprintf("/proc/%d/io", pid), "wchar:")
	return usage, err
}

// number finds a named one in a file of /proc.
func number(file, name string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, name); found {
			return strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

// loadAverage of the machine over one minute.
func loadAverage() (float64, error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), " ")
	return strconv.ParseFloat(first, 64)
}
