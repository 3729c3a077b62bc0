package main

import (
	"testing"
	"time"

	"github.com/projectcalico/calico/libcalico-go/lib/backend/api"
)

func TestEveryUpdateIsDeliveredConflatedOrLost(t *testing.T) {
	scenario := Scenario{Name: "fanout", Clients: 1, Keys: 2, Rate: 1, Transaction: 1, Burst: 1, Seconds: 5}
	account := newAccount(scenario, scenario.lastWrites())
	account.OnUpdatesKeysKnown([]api.Update{arrives(t, 0, 0), arrives(t, 1, 0)}, nil)
	account.OnStatusUpdated(api.InSync)
	if !account.isComplete() {
		t.Error("the snapshot is complete and was not taken for it")
	}
	schedule := scenario.schedule(time.Now())
	account.schedule = &schedule
	// Writes 1, 3, 5 go to key 0 and 2, 4 to key 1; 1 and 2 come, 3 is conflated into 5, 4 is lost.
	account.OnUpdatesKeysKnown([]api.Update{arrives(t, 0, 1), arrives(t, 1, 2)}, nil)
	account.OnUpdatesKeysKnown([]api.Update{arrives(t, 0, 5), arrives(t, 0, 5)}, nil)
	var totals Totals
	account.addTo(&totals, scenario.writes())
	if want := (Totals{delivered: 3, conflated: 1, lost: 1}); totals != want {
		t.Errorf("%+v, not %+v", totals, want)
	}
}

func TestLatencyCountsFromTheIntendedTime(t *testing.T) {
	scenario := Scenario{Name: "fanout", Clients: 1, Keys: 1, Rate: 1, Transaction: 1, Burst: 1, Seconds: 2}
	account := newAccount(scenario, scenario.lastWrites())
	// The first write was intended two seconds ago and comes now; the second one a second ago.
	schedule := scenario.schedule(time.Now().Add(-2 * time.Second))
	account.schedule = &schedule
	account.OnUpdatesKeysKnown([]api.Update{arrives(t, 0, 1), arrives(t, 0, 2)}, nil)
	measured := percentiles(account.latencies)
	if measured.Max < 2000 || measured.Max > 2500 || measured.P50 < 1000 || measured.P50 > 1500 {
		t.Errorf("%+v", measured)
	}
}

func TestAHeldClientTakesNothingUntilItIsReleased(t *testing.T) {
	scenario := Scenario{Name: "stalled", Clients: 1, Keys: 1, Rate: 1, Transaction: 1, Burst: 1, Seconds: 1}
	account := newAccount(scenario, scenario.lastWrites())
	account.OnUpdatesKeysKnown([]api.Update{arrives(t, 0, 0)}, nil)
	account.OnStatusUpdated(api.InSync)
	fleet := &Fleet{scenario: scenario, accounts: []*Account{account}}
	schedule := scenario.schedule(time.Now())
	account.schedule = &schedule
	fleet.stall(1)
	returned := make(chan struct{})
	go func() {
		account.OnUpdatesKeysKnown([]api.Update{arrives(t, 0, 1)}, nil)
		close(returned)
	}()
	if fleet.incomplete(0) != 1 {
		t.Error("it has everything while it is held")
	}
	fleet.release()
	<-returned
	if fleet.incomplete(0) != 0 || len(account.inSyncAfter) != 1 {
		t.Errorf("%d incomplete, %d brought in sync", fleet.incomplete(0), len(account.inSyncAfter))
	}
}
