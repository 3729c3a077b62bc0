package main

import (
	"encoding/json"
	"os"
	"slices"
)

// Report is what a run found, under the names that loadtest's report gives it.
type Report struct {
	Scenario  string `json:"scenario"`
	Clients   int    `json:"clients"`
	Keys      int    `json:"keys"`
	Writes    int    `json:"writes"`
	Delivered int    `json:"delivered"`
	Lost      int    `json:"lost"`
	Conflated int    `json:"conflated"`
	Cut       int    `json:"cut"`
	// What the server wrote while the run was measured, TLS included: the library does not show its connections.
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Server  Server  `json:"server"`
	// Of clients that read all the time.
	LatencyMS Percentiles `json:"latency_ms"`
	// Of clients that were stalled or away.
	StalledLatencyMS *Percentiles `json:"stalled_latency_ms,omitempty"`
	// From the beginning of a storm until a client has everything.
	InSyncMS    *Percentiles `json:"in_sync_ms,omitempty"`
	Harness     Harness      `json:"harness"`
	LoadAverage float64      `json:"load_average"`
}

// Server is the typha process.
type Server struct {
	CPUUSPerClientUpdate *float64 `json:"cpu_us_per_client_update,omitempty"`
	CPUUSPerClient       float64  `json:"cpu_us_per_client"`
	Cores                float64  `json:"cores"`
	RSSKB                int64    `json:"rss_kb"`
	RSSKBPerClient       float64  `json:"rss_kb_per_client"`
}

// Harness is this process.
type Harness struct {
	Cores          float64 `json:"cores"`
	RSSKB          int64   `json:"rss_kb"`
	RSSKBPerClient float64 `json:"rss_kb_per_client"`
	WriterBehindMS float64 `json:"writer_behind_ms"`
}

// Percentiles of latencies, milliseconds.
type Percentiles struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// report of the run, from when measuring began until it ended.
func (s *Stage) report(ended Sample) *Report {
	clients, seconds := float64(s.scenario.Clients), ended.at.Sub(s.begun.at).Seconds()
	server, own := ended.server.cpuUS-s.begun.server.cpuUS, ended.own.cpuUS-s.begun.own.cpuUS
	report := &Report{
		Scenario: s.scenario.Name,
		Clients:  s.scenario.Clients,
		Keys:     s.scenario.Keys,
		Writes:   s.scenario.writes(),
		Bytes:    ended.server.written - s.begun.server.written,
		Seconds:  seconds,
		Server: Server{
			CPUUSPerClient: float64(server) / clients,
			Cores:          float64(server) / 1e6 / seconds,
			RSSKB:          ended.server.rssKB,
			RSSKBPerClient: float64(max(ended.server.rssKB-s.idle.server.rssKB, 0)) / clients,
		},
		Harness: Harness{
			Cores:          float64(own) / 1e6 / seconds,
			RSSKB:          ended.own.rssKB,
			RSSKBPerClient: float64(max(ended.own.rssKB-s.idle.own.rssKB, 0)) / clients,
		},
	}
	if s.writer != nil {
		report.Harness.WriterBehindMS = s.writer.behind.Seconds() * 1000
	}
	// Where there are no writes, the keys of the snapshot are what was sent.
	updates := report.Writes
	if updates == 0 {
		updates = s.scenario.Keys
	}
	perUpdate := float64(server) / (float64(updates) * clients)
	report.Server.CPUUSPerClientUpdate = &perUpdate
	s.addArrivals(report)
	return report
}

// addArrivals of all clients.
func (s *Stage) addArrivals(report *Report) {
	var totals Totals
	var reading, stalled, inSync []uint32
	s.fleet.each(func(_ int, account *Account) {
		account.addTo(&totals, report.Writes)
		inSync = append(inSync, account.inSyncAfter...)
		if account.stalled {
			stalled = append(stalled, account.latencies...)
		} else {
			reading = append(reading, account.latencies...)
		}
	})
	report.Delivered, report.Conflated = totals.delivered, totals.conflated
	report.Lost, report.Cut = totals.lost, totals.cut
	report.LatencyMS = percentiles(reading)
	if len(stalled) > 0 {
		found := percentiles(stalled)
		report.StalledLatencyMS = &found
	}
	if len(inSync) > 0 {
		found := percentiles(inSync)
		report.InSyncMS = &found
	}
}

// percentiles sorts the latencies, which are in microseconds.
func percentiles(latencies []uint32) Percentiles {
	if len(latencies) == 0 {
		return Percentiles{}
	}
	slices.Sort(latencies)
	at := func(quantile float64) float64 {
		return float64(latencies[int(quantile*float64(len(latencies)-1))]) / 1000
	}
	return Percentiles{Count: len(latencies), P50: at(0.50), P90: at(0.90), P99: at(0.99), Max: at(1)}
}

// write prints the report, or puts it into a file where one is named.
func (r *Report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if file == "" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
