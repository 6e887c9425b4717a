package logstore

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/edgeistry/edgeistry"
)

// LogID names a log: a service and the log's name in it.
type LogID struct {
	Service edgeistry.ServiceID `json:"service"`
	Name    string              `json:"name"`
}

// String returns "k51.../name".
func (id LogID) String() string { return id.Service.String() + "/" + id.Name }

// Keys, below the store's prefix. Numbers are fixed-width lower-case hex, so that a range of a log
// is direct Gets and keys sort by place. NNNNNNNN is the log's number in this store.
//
//	/c/NNNNNNNN/<service, 64 hex>/<name>     catalogue: the log exists
//	/h/NNNNNNNN                              head: the newest run
//	/i/NNNNNNNN/<ordinal>                    a closed run
//	/e/NNNNNNNN/<incarnation><sequence>      entry
//	/p/NNNNNNNN/<producer, hex>              newest append of a producer
//	/r/<name>                                named record
//	/g                                       number of the newest group

const maxRecordName = 128

func appendHex32(b []byte, v uint32) []byte {
	const digits = "0123456789abcdef"
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, digits[v>>shift&15])
	}
	return b
}

func headKey(number uint32) string { return string(appendHex32([]byte("/h/"), number)) }

func runKey(number, ordinal uint32) string {
	b := append(appendHex32([]byte("/i/"), number), '/')
	return string(appendHex32(b, ordinal))
}

func entryKey(number uint32, at edgeistry.Place) string {
	var buf [32]byte
	b := append(appendHex32(append(buf[:0], "/e/"...), number), '/')
	b = appendHex32(b, at.Incarnation)
	return string(appendHex32(b, at.Sequence))
}

func producerKey(number uint32, producer string) string {
	b := append(appendHex32([]byte("/p/"), number), '/')
	return string(hex.AppendEncode(b, []byte(producer)))
}

func catalogueKey(number uint32, id LogID) string {
	b := append(appendHex32([]byte("/c/"), number), '/')
	b = append(hex.AppendEncode(b, id.Service[:]), '/')
	return string(append(b, id.Name...))
}

func recordKey(name string) string { return "/r/" + name }

// parseCatalogueKey reads what catalogueKey wrote.
func parseCatalogueKey(key string) (uint32, LogID, error) {
	parts := strings.Split(key, "/")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "c" || len(parts[2]) != 8 {
		return 0, LogID{}, errors.New("key has the wrong form")
	}
	number, err := strconv.ParseUint(parts[2], 16, 32)
	if err != nil {
		return 0, LogID{}, errors.New("key has no log number")
	}
	raw, err := hex.DecodeString(parts[3])
	if err != nil {
		return 0, LogID{}, errors.New("key has no service")
	}
	service, err := edgeistry.ServiceIDFromBytes(raw)
	if err != nil {
		return 0, LogID{}, err
	}
	if err := edgeistry.CheckName(parts[4]); err != nil {
		return 0, LogID{}, err
	}
	return uint32(number), LogID{Service: service, Name: parts[4]}, nil
}

// checkRecordName allows segments of CheckName's alphabet, separated by slashes.
func checkRecordName(name string) error {
	if len(name) == 0 || len(name) > maxRecordName {
		return fmt.Errorf("record name %.40q must have 1 to %d characters", name, maxRecordName)
	}
	for segment := range strings.SplitSeq(name, "/") {
		if segment == "" || segment[0] == '.' {
			return fmt.Errorf("record name %q has an empty part or one that starts with a dot", name)
		}
		for i := range len(segment) {
			c := segment[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
				return fmt.Errorf("record name %q may have a-z 0-9 - _ . and / only", name)
			}
		}
	}
	return nil
}
