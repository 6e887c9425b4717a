package harness

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/edgeistry/edgeistry/capability"
)

// Board is a microcontroller board in QEMU, with its EEPROM in a file and its network behind a UDP port of this machine (docs/guide/boards.md).
type Board struct {
	*Process
	Setup capability.SetupCode
	Link  string // udp:127.0.0.1:PORT

	dir, name string
	argv      []string
}

// Machine is a kind of board: the emulator's command for it, and the firmware image.
type Machine struct {
	Emulator []string
	Image    string
}

// NewBoard returns a factory-new board, which Start switches on. posix is the POSIX device's
// program, which is also the factory.
func NewBoard(ctx context.Context, m Machine, posix, dir, name string) (*Board, error) {
	setup, err := capability.NewSetupCode(rand.Reader)
	if err != nil {
		return nil, err
	}
	eeprom := filepath.Join(dir, name+".eeprom")
	if err := Exec(ctx, posix, "--state", eeprom, "--setup", setup.Text(), "--provision").Err(); err != nil {
		return nil, err
	}
	addr, err := freeUDP()
	if err != nil {
		return nil, err
	}
	b := &Board{Setup: setup, Link: "udp:" + addr, dir: dir, name: name}
	b.argv = append(b.argv, m.Emulator...)
	b.argv = append(b.argv, "-kernel", m.Image, "-display", "none", "-monitor", "none", "-serial", "null",
		"-semihosting-config", "enable=on,target=native,arg=greenhouse,arg="+strings.ReplaceAll(eeprom, ",", ",,"),
		"-nic", "user,hostfwd=udp:"+addr+"-10.0.2.15:5683")
	return b, nil
}

// Start switches the board on and gives its boot counter. After Kill it may be called again.
func (b *Board) Start(ctx context.Context) (boot uint32, err error) {
	if b.Process, err = Start(b.dir, b.name, nil, b.argv...); err != nil {
		return 0, err
	}
	m, err := b.Wait(ctx, 0, `^ready udp .* boot ([0-9]+)`)
	if err != nil {
		return 0, errors.Join(err, b.Kill())
	}
	n, err := strconv.ParseUint(m[1], 10, 32)
	return uint32(n), err
}

// freeUDP returns an address on loopback that nobody uses just now.
func freeUDP() (string, error) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free UDP port: %w", err)
	}
	defer c.Close()
	return c.LocalAddr().String(), nil
}
