package state

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/internal/atomicfile"
	"github.com/edgeistry/edgeistry/internal/yamlfile"
)

// Device is a device that this node is home to.
type Device struct {
	Service  edgeistry.ServiceID
	Name     string // local name; may be ""
	Link     string // serial:/dev/ttyUSB0, udp:127.0.0.1:5690
	Manifest edgeistry.Manifest
	Claimed  time.Time
	// Reader is the capability that the node itself uses: it reads every log.
	Reader *capability.Capability
}

type deviceFile struct {
	Service  string       `yaml:"service"`
	Name     string       `yaml:"name"`
	Link     string       `yaml:"link"`
	Board    string       `yaml:"board"`
	Firmware string       `yaml:"firmware"`
	Logs     []deviceLog  `yaml:"logs"`
	Funcs    []deviceFunc `yaml:"functions"`
	Claimed  time.Time    `yaml:"claimed"`
	Reader   string       `yaml:"capability"`
}

type deviceLog struct {
	Name   string `yaml:"name"`
	Period uint32 `yaml:"period"`
	Size   uint32 `yaml:"size"`
}

type deviceFunc struct {
	Name     string `yaml:"name"`
	Argument string `yaml:"argument"`
}

// Devices holds the devices that this node is home to: devices/ID.yaml.
type Devices struct{ folder }

// Save stores a device.
func (s *Devices) Save(d Device) error {
	f := deviceFile{
		Service: d.Service.String(), Name: d.Name, Link: d.Link,
		Board: d.Manifest.Board, Firmware: d.Manifest.Firmware, Claimed: d.Claimed.UTC(), Reader: d.Reader.Text(),
	}
	for _, l := range d.Manifest.Logs {
		f.Logs = append(f.Logs, deviceLog(l))
	}
	for _, fn := range d.Manifest.Functions {
		f.Funcs = append(f.Funcs, deviceFunc(fn))
	}
	body, err := yaml.Marshal(f)
	if err != nil {
		return fmt.Errorf("keep device: %w", err)
	}
	data := append([]byte("# A device of this node. The capability is a secret.\n"), body...)
	if err := atomicfile.Write(s.path("devices", f.Service+".yaml"), data, atomicfile.Secret); err != nil {
		return fmt.Errorf("keep device: %w", err)
	}
	return nil
}

// Remove deletes a device; its key stays in the keystore.
func (s *Devices) Remove(id edgeistry.ServiceID) error {
	return atomicfile.Remove(s.path("devices", id.String()+".yaml"))
}

// All returns all devices of this node.
func (s *Devices) All() ([]Device, error) {
	names, err := listFiles(s.path("devices"))
	if err != nil {
		return nil, fmt.Errorf("list devices: %w", err)
	}
	var out []Device
	for _, name := range names {
		text, ok := strings.CutSuffix(name, ".yaml")
		if !ok {
			continue
		}
		id, err := edgeistry.ParseServiceID(text)
		if err != nil {
			continue
		}
		d, err := s.read(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (s *Devices) read(id edgeistry.ServiceID) (Device, error) {
	path := s.path("devices", id.String()+".yaml")
	raw, err := readSecret(path)
	if err != nil {
		return Device{}, err
	}
	var f deviceFile
	if err := yamlfile.Decode(raw, &f); err != nil {
		return Device{}, damaged(path, yamlfile.Explain(err, nil).Error())
	}
	if f.Service != id.String() {
		return Device{}, damaged(path, "it describes another service")
	}
	c, err := capability.Parse(f.Reader)
	if err != nil || c.Service != id {
		return Device{}, damaged(path, "its capability is not one of this service")
	}
	if f.Link == "" {
		return Device{}, damaged(path, "it names no link")
	}
	d := Device{Service: id, Name: f.Name, Link: f.Link, Claimed: f.Claimed, Reader: c}
	d.Manifest = edgeistry.Manifest{Board: f.Board, Firmware: f.Firmware}
	for _, l := range f.Logs {
		if err := edgeistry.CheckName(l.Name); err != nil {
			return Device{}, damaged(path, err.Error())
		}
		d.Manifest.Logs = append(d.Manifest.Logs, edgeistry.LogInfo(l))
	}
	for _, fn := range f.Funcs {
		if err := edgeistry.CheckName(fn.Name); err != nil {
			return Device{}, damaged(path, err.Error())
		}
		d.Manifest.Functions = append(d.Manifest.Functions, edgeistry.FunctionInfo(fn))
	}
	return d, nil
}
