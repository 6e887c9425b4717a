package logstore

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// Every value on disk is
//
//	version u8 = 1 | body | crc u32
//
// where crc is CRC-32C over the value's key (below the store's prefix), version and body: a value
// that turns up under another key does not verify either.

const (
	valueVersion  = 1
	valueOverhead = 1 + 4
)

var (
	errShort    = errors.New("value is too short")
	errLength   = errors.New("value has the wrong length")
	errVersion  = errors.New("value has an unknown version")
	errChecksum = errors.New("checksum does not match")
)

// seal completes a value that begins with valueVersion by its checksum.
func seal(key string, value []byte) []byte {
	return binary.BigEndian.AppendUint32(value, checksum(key, value))
}

// unseal checks a value and gives its body.
func unseal(key string, value []byte) ([]byte, error) {
	if len(value) < valueOverhead {
		return nil, errShort
	}
	body := value[:len(value)-4]
	if checksum(key, body) != binary.BigEndian.Uint32(value[len(body):]) {
		return nil, errChecksum
	}
	if body[0] != valueVersion {
		return nil, errVersion
	}
	return body[1:], nil
}

func checksum(key string, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // shared by the library, not computed again
	return crc32.Update(crc32.Checksum([]byte(key), table), table, value)
}
