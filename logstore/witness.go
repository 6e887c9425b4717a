package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry/internal/atomicfile"
)

// The witness is a small file apart from the datastore that says up to which group the store
// acknowledged. Key-value stores take damage at the end of their write-ahead log for a write that
// the power cut short, and drop what follows without a word: one flipped bit in pebble's newest 32
// KiB block does it. The witness tells the two apart.
//
// It is written at most once in witnessPause, outside the way of appends, so it notices the loss of
// what was acknowledged longer ago than that. Two slots in different sectors take turns, so that a
// torn write leaves the other:
//
//	magic "EDGW" | version u8 = 1 | group u64 | CRC-32C of the above u32

const (
	witnessSlot  = 512 // bytes between the slots
	witnessSize  = 4 + 1 + 8 + 4
	witnessMagic = "EDGW\x01"
	witnessPause = 100 * time.Millisecond
	groupKey     = "/g"
)

// LossError reports that the datastore holds less than it acknowledged: its files were damaged, or
// are an old copy. What is missing can be fetched from mirrors into a new store; to go on with what
// is left, remove the witness file.
type LossError struct {
	Witness            string
	Have, Acknowledged uint64 // group numbers
}

func (e *LossError) Error() string {
	return fmt.Sprintf("datastore lost acknowledged writes: it ends at group %d, %d were acknowledged (by %s)",
		e.Have, e.Acknowledged, e.Witness)
}

// WitnessError reports that the witness file is damaged or empty. The logs are intact as far as
// anybody can tell: the file only counts what was acknowledged, and Open makes a new one where
// there is none.
type WitnessError struct{ Path string }

func (e *WitnessError) Error() string {
	return "the witness file " + e.Path + " is damaged: it holds nothing that can be read"
}

func encodeGroup(group uint64) []byte {
	return seal(groupKey, binary.BigEndian.AppendUint64([]byte{valueVersion}, group))
}

func decodeGroup(value []byte) (uint64, error) {
	body, err := unseal(groupKey, value)
	if err != nil {
		return 0, err
	}
	if len(body) != 8 {
		return 0, errLength
	}
	return binary.BigEndian.Uint64(body), nil
}

type witness struct {
	file   *os.File
	logger *slog.Logger
	signal chan struct{} // of capacity 1: there is a newer group
	stop   chan struct{}
	done   chan struct{}

	mu    sync.Mutex
	group uint64
}

// makeWitness puts a witness of group 0 in place, whole or not at all.
func makeWitness(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := f.WriteAt(slot(0), 0); err != nil {
		return err
	}
	if _, err := f.WriteAt(slot(0), witnessSlot); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return f.Close()
}

func slot(group uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte(witnessMagic), group)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

// openWitness opens or makes the file and gives the group it knows of, 0 for a new file.
func openWitness(path string, logger *slog.Logger) (*witness, uint64, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := makeWitness(path); err != nil {
			return nil, 0, fmt.Errorf("make witness: %w", err)
		}
	}
	f, err := atomicfile.Open(path, os.O_RDWR)
	if err != nil {
		return nil, 0, fmt.Errorf("open witness: %w", err)
	}
	b := make([]byte, witnessSlot+witnessSize)
	if _, err := io.ReadFull(f, b); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, errors.Join(fmt.Errorf("read witness: %w", err), f.Close())
	}
	var group uint64
	valid := false
	for _, at := range []int{0, witnessSlot} {
		if g, ok := readSlot(b[at : at+witnessSize]); ok {
			group, valid = max(group, g), true
		}
	}
	if !valid {
		return nil, 0, errors.Join(&WitnessError{Path: path}, f.Close())
	}
	w := &witness{file: f, logger: logger, signal: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	return w, group, nil
}

func readSlot(b []byte) (uint64, bool) {
	sum := crc32.Checksum(b[:witnessSize-4], crc32.MakeTable(crc32.Castagnoli))
	if string(b[:len(witnessMagic)]) != witnessMagic || sum != binary.BigEndian.Uint32(b[witnessSize-4:]) {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[len(witnessMagic):]), true
}

// saw records an acknowledged group. It does not wait.
func (w *witness) saw(group uint64) {
	w.mu.Lock()
	w.group = group
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// run writes until it is stopped, and then once more.
func (w *witness) run() {
	defer close(w.done)
	for {
		select {
		case <-w.signal:
			w.write()
		case <-w.stop:
			w.write()
			return
		}
		pause := time.NewTimer(witnessPause)
		select {
		case <-pause.C:
		case <-w.stop:
			pause.Stop()
		}
	}
}

// write puts the newest group into its slot. A witness that cannot be written costs no data, so it
// is only logged.
func (w *witness) write() {
	w.mu.Lock()
	group := w.group
	w.mu.Unlock()
	if group == 0 {
		return
	}
	_, err := w.file.WriteAt(slot(group), int64(group%2)*witnessSlot)
	if err == nil {
		err = w.file.Sync()
	}
	if err != nil {
		w.logger.Warn("witness of the log store cannot be written", "error", err)
	}
}

func (w *witness) close() error {
	close(w.stop)
	<-w.done
	return w.file.Close()
}
