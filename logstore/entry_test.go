package logstore

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/edgeistry/edgeistry"
)

func sampleEntry() Entry {
	return Entry{
		Place: edgeistry.Place{Incarnation: 3, Sequence: 1<<32 - 1}, Prev: edgeistry.Hash{1}, Hash: edgeistry.Hash{2},
		Stored: time.UnixMilli(1_700_000_000_123), Gap: true, Producer: "p", ProducerSeq: 1<<64 - 1, Payload: []byte("payload"),
	}
}

func TestEntryRoundTrip(t *testing.T) {
	for _, want := range []Entry{
		sampleEntry(),
		{Stored: time.UnixMilli(0), Payload: []byte{}},
		{Stored: time.UnixMilli(-1), Payload: bytes.Repeat([]byte{0xff}, MaxPayload), Producer: string(make([]byte, MaxProducer))},
	} {
		got, err := decodeEntry("/e/1", encodeEntry("/e/1", &want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("decode(encode(%.200v)) = %.200v, %v", want, got, err)
		}
	}
}

func TestValueUnderAnotherKeyIsRefused(t *testing.T) {
	e := sampleEntry()
	if _, err := decodeEntry("/e/2", encodeEntry("/e/1", &e)); !errors.Is(err, errChecksum) {
		t.Errorf("entry under another key: %v, want %v", err, errChecksum)
	}
}

// The layout on disk is fixed: a change here breaks every store there is.
func TestEntryLayout(t *testing.T) {
	e := sampleEntry()
	want := "\x01" + "\x00\x00\x00\x03" + "\xff\xff\xff\xff" +
		"\x01" + string(make([]byte, 15)) + "\x02" + string(make([]byte, 15)) +
		"\x00\x00\x01\x8b\xcf\xe5\x68\x7b" + "\x01" + "\x01p" + "\xff\xff\xff\xff\xff\xff\xff\xff" + "\x00\x07payload"
	got := encodeEntry("/e/1", &e)
	if string(got[:len(got)-4]) != want {
		t.Errorf("encode() = %x, want %x", got[:len(got)-4], want)
	}
}

func FuzzEntry(f *testing.F) {
	e := sampleEntry()
	f.Add(encodeEntry("k", &e))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1}, entryFixed+valueOverhead))
	f.Fuzz(func(t *testing.T, value []byte) {
		// As it stands, and with its checksum set right, so that the fuzzer gets behind it.
		for _, v := range [][]byte{value, seal("k", bytes.Clone(value))} {
			e, err := decodeEntry("k", v)
			if err != nil {
				continue
			}
			if again := encodeEntry("k", &e); !bytes.Equal(again, v) {
				t.Errorf("encode(decode(%x)) = %x", v, again)
			}
		}
	})
}

func FuzzTail(f *testing.F) {
	f.Add(encodeTail("k", tail{run: run{incarnation: 1, first: 1, last: 2}, oldest: 1}))
	f.Add(encodeRun("k", run{incarnation: 1, first: 1, last: 2}))
	f.Add(encodeMark("k", mark{seq: 4}))
	f.Fuzz(func(t *testing.T, value []byte) {
		v := seal("k", bytes.Clone(value))
		if x, err := decodeTail("k", v); err == nil && !bytes.Equal(encodeTail("k", x), v) {
			t.Errorf("tail %x is not a fixpoint", v)
		}
		if x, err := decodeRun("k", v); err == nil && !bytes.Equal(encodeRun("k", x), v) {
			t.Errorf("run %x is not a fixpoint", v)
		}
		if x, err := decodeMark("k", v); err == nil && !bytes.Equal(encodeMark("k", x), v) {
			t.Errorf("mark %x is not a fixpoint", v)
		}
	})
}

func FuzzCatalogueKey(f *testing.F) {
	f.Add(catalogueKey(7, LogID{Name: "events"}))
	f.Add("/c/00000007/00/x")
	f.Fuzz(func(t *testing.T, key string) {
		number, id, err := parseCatalogueKey(key)
		if err != nil {
			return
		}
		n, again, err := parseCatalogueKey(catalogueKey(number, id))
		if err != nil || n != number || again != id {
			t.Errorf("parse(%q) = %d %v, and again %d %v, %v", key, number, id, n, again, err)
		}
	})
}

// No memory grows with the length of a log, nor with the number of producers beyond the bound.
func TestMarksAreBounded(t *testing.T) {
	c := marks{limit: 10, byKey: map[string]mark{}}
	for i := range 1000 {
		c.put(producerKey(1, string(rune(i))), mark{seq: uint64(i)})
	}
	if len(c.byKey) != 10 {
		t.Errorf("%d producers in memory, want 10", len(c.byKey))
	}
}
