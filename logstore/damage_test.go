package logstore_test

import (
	"context"
	"strings"
	"testing"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// A bit of every byte of every value is flipped (every bit, if EDGEISTRY_TORTURE_ROUNDS is set),
// every value is cut short, zeroed, extended, and replaced by every other: the damage is named.
func TestDamageIsNeverSilent(t *testing.T) {
	ds, want := filled(t)
	if strings.Contains(want, "damage") {
		t.Fatalf("undamaged contents = %s", want)
	}
	values := map[datastore.Key][]byte{}
	results, err := ds.Query(t.Context(), query.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for r := range results.Next() {
		values[datastore.RawKey(r.Key)] = r.Value
	}
	trials := 0
	try := func(key datastore.Key, value []byte, how string, at int) {
		t.Helper()
		trials++
		damaged := datastore.NewMapDatastore()
		for k, v := range values {
			if k == key {
				v = value
			}
			if err := damaged.Put(context.Background(), k, v); err != nil {
				t.Fatal(err)
			}
		}
		if got := contents(t, damaged); !strings.Contains(got, "damage: ") {
			t.Errorf("%s, %s at %d, goes unseen:\n%s\nwant\n%s", key, how, at, got, want)
		}
	}
	everyBit := rounds(t, 0) > 0
	for key, value := range values {
		for bit := range 8 * len(value) {
			if !everyBit && bit%8 != bit/8%8 { // another bit in each byte
				continue
			}
			flipped := append([]byte(nil), value...)
			flipped[bit/8] ^= 1 << (bit % 8)
			try(key, flipped, "flipped", bit)
		}
		for n := range len(value) {
			if everyBit || n < 8 || n > len(value)-8 {
				try(key, value[:n], "cut", n)
			}
		}
		try(key, make([]byte, len(value)), "zeroed", 0)
		try(key, append(append([]byte(nil), value...), 0), "extended", len(value))
		for other, v := range values {
			if other != key {
				try(key, v, "replaced by "+other.String(), 0)
			}
		}
	}
	t.Logf("%d values, %d trials", len(values), trials)
	if len(values) < 15 {
		t.Errorf("%d values, too few to have all kinds", len(values))
	}
}
