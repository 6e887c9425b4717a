package node

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/capability/client"
	"github.com/edgeistry/edgeistry/coap"
)

// offerDue reports whether the device has started anew since the node read what it offers: it may have new firmware.
func (d *device) offerDue() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.boot != 0 && d.offered != d.boot
}

// readOffer reads what the device offers, keeps it, and follows the logs that are new. Copies of logs that the device does not have any
// more stay in the store. The document carries no proof, so the device is asked for each log that it names or that it leaves out
// for the first time.
func (d *device) readOffer(ctx context.Context) error {
	d.mu.Lock()
	boot, old := d.boot, d.Manifest
	d.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, deviceTime)
	defer cancel()
	offered, err := d.node.proxy.ReadManifest(ctx, d.Service)
	if err != nil {
		return err
	}
	if offered.Logs, err = d.provedLogs(ctx, old.Logs, offered.Logs); err != nil {
		return err
	}
	logs, err := d.followers(ctx, offered)
	if err != nil {
		return err
	}
	d.mu.Lock()
	changed := !reflect.DeepEqual(old, offered)
	d.Manifest, d.logs, d.offered = offered, logs, boot
	d.mu.Unlock()
	if !changed {
		return nil
	}
	d.node.log.Info("device offers something else than before", "service", d.Service, "name", d.label(), "firmware", offered.Firmware, "logs", len(offered.Logs))
	if err := d.save(); err != nil {
		return err
	}
	d.node.publisher.again()
	return nil
}

// save keeps the device on disk.
func (d *device) save() error {
	d.node.keys.Lock() // as who makes the reader anew does
	defer d.node.keys.Unlock()
	d.mu.Lock()
	kept := d.Device
	d.mu.Unlock()
	return d.node.state.Devices.Save(kept)
}

// provedLogs returns those of the offered logs that were offered before, or that the device has by its own proof, and those that are not
// offered any more but that it still has.
func (d *device) provedLogs(ctx context.Context, old, offered []edgeistry.LogInfo) ([]edgeistry.LogInfo, error) {
	var out []edgeistry.LogInfo
	for _, l := range offered {
		if !hasLog(old, l.Name) {
			if has, err := d.hasLog(ctx, l.Name); err != nil {
				return nil, err
			} else if !has {
				d.node.log.Warn("the device names a log that it does not have", "service", d.Service, "log", l.Name)
				continue
			}
		}
		out = append(out, l)
	}
	for _, l := range old {
		if !hasLog(offered, l.Name) {
			if has, err := d.hasLog(ctx, l.Name); err != nil {
				return nil, err
			} else if has {
				out = append(out, l)
			}
		}
	}
	return out, nil
}

func hasLog(logs []edgeistry.LogInfo, name string) bool {
	return slices.ContainsFunc(logs, func(l edgeistry.LogInfo) bool { return l.Name == name })
}

// hasLog asks the device for the head of a log.
func (d *device) hasLog(ctx context.Context, name string) (bool, error) {
	m := &coap.Message{Code: coap.CodeGET}
	if err := m.SetPath("/l/" + name); err != nil {
		return false, err
	}
	_, err := d.ask(ctx, m)
	var denied *client.Denied
	switch {
	case err == nil:
		return true, nil
	case errors.As(err, &denied) && denied.ByDevice && denied.Reason == capability.ReasonNotFound:
		return false, nil
	}
	return false, fmt.Errorf("ask for the log %s: %w", name, err)
}
