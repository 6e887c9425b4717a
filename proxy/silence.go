package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/edgeistry/edgeistry"
	"github.com/edgeistry/edgeistry/coap"
)

const (
	// awayAfter is how long a device must be silent in one exchange to count as away: three transmissions on UDP, four on a serial line.
	awayAfter = 4 * time.Second
	// awayProbe is how long a request waits for a device that is away. The answer to it shows that the device is back.
	awayProbe = 2 * time.Second
	// awayAge is the Max-Age of the answer for a device that is away, in seconds. It is longer than callers wait by themselves.
	awayAge = 30
)

// AwayError says that a device did not answer before, and did not answer this request within awayProbe either.
type AwayError struct {
	Since time.Time // when it last answered, or, if it has not since it was added, when it was asked first
	Err   error     // how this request failed
}

func (e *AwayError) Error() string { return awayText(e.Since) + ": " + e.Err.Error() }

func (e *AwayError) Unwrap() error { return e.Err }

func awayText(since time.Time) string {
	return "the device is away since " + since.UTC().Format("2006-01-02 15:04:05 UTC")
}

type patienceKey struct{}

// Patience bounds how long a request may occupy the link of a device that is silent. The time in the device's queue does not count.
func Patience(ctx context.Context, limit time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, limit)
}

// ask makes one exchange; the caller has the turn. A device that is away and was silent towards another request since this one came is
// not asked once more.
func (d *device) ask(ctx context.Context, r *request) (*coap.Message, error) {
	limit, _ := ctx.Value(patienceKey{}).(time.Duration)
	since, away := d.away()
	if away && d.probedAfter(r.waits.since) {
		return nil, &AwayError{Since: since, Err: coap.ErrTimeout}
	}
	if away && (limit == 0 || limit > awayProbe) {
		limit = awayProbe
	}
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, coap.ErrTimeout)
		defer cancel()
	}
	began := time.Now()
	resp, legs, err := d.link.Exchange(ctx, r.msg)
	d.heard(began, err)
	if err != nil {
		if silent(err) && away {
			err = &AwayError{Since: since, Err: err}
		}
		return nil, err
	}
	d.noteBoot(r, resp)
	r.trace.add(coap.LegQueue, r.waits.took+legs.Queue)
	r.trace.add(coap.LegLink, legs.Link)
	r.trace.add(coap.LegDevice, legs.Device)
	return resp, nil
}

// silent reports whether an exchange ended without any sign of the device.
func silent(err error) bool {
	return errors.Is(err, coap.ErrTimeout) || errors.Is(err, coap.ErrLinkDown) || errors.Is(err, context.DeadlineExceeded)
}

// heard keeps what an exchange that began then says about the device.
func (d *device) heard(began time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if silent(err) {
		d.probed = time.Now()
	}
	switch {
	case err == nil || errors.Is(err, coap.ErrReset):
		d.seen, d.silent = time.Now(), time.Time{}
	case d.silent.IsZero() && (errors.Is(err, coap.ErrLinkDown) || silent(err) && time.Since(began) >= awayAfter):
		if d.silent = d.seen; d.silent.IsZero() {
			d.silent = began
		}
	}
}

// away reports whether the device is away, and since when.
func (d *device) away() (since time.Time, away bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.silent, !d.silent.IsZero()
}

func (d *device) probedAfter(t time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.probed.After(t)
}

// Away reports whether a device here did not answer lately, and since when.
func (p *Proxy) Away(id edgeistry.ServiceID) (since time.Time, away bool) {
	if s := p.find(id); s != nil && s.device != nil {
		return s.device.away()
	}
	return time.Time{}, false
}

// noteBoot hands on the boot counter that the answer to a hello begins with.
func (d *device) noteBoot(r *request, resp *coap.Message) {
	if d.booted != nil && r.hello && resp.Success() && len(resp.Payload) >= 4 {
		d.booted(d.id, binary.BigEndian.Uint32(resp.Payload))
	}
}

// ReadManifest asks a device what it offers, past the copy that readers are served from, and replaces that copy.
func (p *Proxy) ReadManifest(ctx context.Context, id edgeistry.ServiceID) (edgeistry.Manifest, error) {
	s := p.find(id)
	if s == nil || s.device == nil {
		return edgeistry.Manifest{}, fmt.Errorf("read what %s offers: %w", id, ErrNotFound)
	}
	body, err := readCore(ctx, s.device)
	if err != nil {
		return edgeistry.Manifest{}, err
	}
	m, err := coap.DecodeLinks(body)
	if err != nil {
		return m, err
	}
	s.device.core.replace(body)
	s.device.mu.Lock()
	defer s.device.mu.Unlock()
	s.device.manifest = m
	return m, nil
}
