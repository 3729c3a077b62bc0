package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/projectcalico/calico/libcalico-go/lib/backend/api"
	"github.com/projectcalico/calico/libcalico-go/lib/backend/model"
)

const (
	keyPrefix  = "/calico/resources/v3/projectcalico.org/globalnetworksets/"
	namePrefix = "loadtest-"
	// Addresses of each set.
	nets = 8
	// A write's number stands in the last three bytes of the first address.
	numberMax = 1<<24 - 1
)

func name(index int) string {
	return fmt.Sprintf("%s%07d", namePrefix, index)
}

func etcdKey(index int) string {
	return keyPrefix + name(index)
}

// value is of the same size and shape as loadtest's. Annotations do not reach Calico's clients, who get addresses and
// labels only; therefore the first address carries the write's number, from which the schedule tells its time. A label
// would do as well, but Calico interns labels, so that a new one for each write would cost it what ours is not asked.
func value(index int, number uint32, intended time.Duration) string {
	var spec strings.Builder
	for net := range nets {
		if net > 0 {
			spec.WriteByte(',')
		}
		// The members differ from write to write, as a real change's would.
		mixed := number
		if net > 0 {
			mixed = (number*2_654_435_761)&^0xff | uint32(net)
		}
		fmt.Fprintf(&spec, `"10.%d.%d.%d/32"`, byte(mixed>>16), byte(mixed>>8), byte(mixed))
	}
	return fmt.Sprintf(`{"kind":"GlobalNetworkSet","apiVersion":"projectcalico.org/v3","metadata":{"name":"%s",`+
		`"labels":{"loadtest":"set"},"annotations":{"loadtest-write":"%010d@%016d"}},"spec":{"nets":[%s]}}`,
		name(index), number, intended.Microseconds(), spec.String())
}

// stamp says which key an update is of and which write; false for updates that are not ours.
func stamp(update api.Update) (index int, number uint32, ours bool) {
	key, isSet := update.Key.(model.NetworkSetKey)
	set, hasValue := update.Value.(*model.NetworkSet)
	if !isSet || !hasValue || len(set.Nets) != nets {
		return 0, 0, false
	}
	digits, named := strings.CutPrefix(key.Name, namePrefix)
	if !named {
		return 0, 0, false
	}
	for _, digit := range []byte(digits) {
		index = index*10 + int(digit-'0')
	}
	address := set.Nets[0].IP.To4()
	if address == nil {
		return 0, 0, false
	}
	return index, uint32(address[1])<<16 | uint32(address[2])<<8 | uint32(address[3]), true
}
