package main

import (
	"encoding/json"
	"testing"
	"time"

	apiv3 "github.com/projectcalico/api/pkg/apis/projectcalico/v3"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/api"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/syncersv1/updateprocessors"
)

// What Calico's Typha makes of a value on its way to clients.
func arrives(t *testing.T, index int, number uint32) api.Update {
	t.Helper()
	var set apiv3.GlobalNetworkSet
	if err := json.Unmarshal([]byte(value(index, number, time.Second)), &set); err != nil {
		t.Fatal(err)
	}
	key := model.ResourceKey{Kind: apiv3.KindGlobalNetworkSet, Name: name(index)}
	updates, err := updateprocessors.NewGlobalNetworkSetUpdateProcessor().Process(&model.KVPair{Key: key, Value: &set})
	if err != nil || len(updates) != 1 {
		t.Fatal(updates, err)
	}
	return api.Update{KVPair: *updates[0]}
}

func TestTheStampSurvivesCalicosConversion(t *testing.T) {
	for _, number := range []uint32{0, 1, 255, 70_000, numberMax} {
		index, got, ours := stamp(arrives(t, 42, number))
		if index != 42 || got != number || !ours {
			t.Errorf("wrote %d of key 42, got %d of key %d (ours: %v)", number, got, index, ours)
		}
	}
}

func TestValuesAreOfLoadtestsSize(t *testing.T) {
	if length := len(value(7, 42, time.Second)); length < 300 || length > 400 {
		t.Errorf("%d bytes", length)
	}
}
