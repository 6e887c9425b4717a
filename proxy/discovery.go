package proxy

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeistry/edgeistry/capability"
	"github.com/edgeistry/edgeistry/coap"
)

const (
	failedCoreAge     = 5 * time.Second // how long a failure to read it is kept
	maxCoreBlocks     = 128
	codeNotAcceptable = 0x86 // 4.06
)

// coreCache keeps a device's /.well-known/core. Many readers cause one exchange.
type coreCache struct {
	age time.Duration

	mu      sync.Mutex
	body    []byte
	err     error
	until   time.Time
	reading chan struct{} // closed when the reading under way is over; nil: none is
}

// get returns the document and how long it stays fresh.
func (c *coreCache) get(ctx context.Context, start func(func()) bool, read func() ([]byte, error)) ([]byte, time.Duration, error) {
	for {
		c.mu.Lock()
		if left := time.Until(c.until); left > 0 {
			body, err := c.body, c.err
			c.mu.Unlock()
			return body, left, err
		}
		if c.reading == nil {
			reading := make(chan struct{})
			if !start(func() {
				body, err := read()
				c.keep(body, err)
				close(reading)
			}) {
				c.mu.Unlock()
				return nil, 0, coap.ErrClosed
			}
			c.reading = reading
		}
		reading := c.reading
		c.mu.Unlock()
		select {
		case <-reading:
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		}
	}
}

func (c *coreCache) keep(body []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	age := c.age
	if err != nil {
		age = min(age, failedCoreAge)
	}
	c.body, c.err, c.until, c.reading = body, err, time.Now().Add(age), nil
}

// replace takes a document that was read just now.
func (c *coreCache) replace(body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body, c.err, c.until = body, nil, time.Now().Add(c.age)
}

// discover answers GET /.well-known/core of a device.
func (p *Proxy) discover(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	if !r.core {
		return next(ctx, r)
	}
	d := r.here.device
	body, left, err := d.core.get(ctx, p.start, func() ([]byte, error) {
		ctx, cancel := context.WithTimeoutCause(p.ctx, p.cfg.Limits.Exchange, coap.ErrTimeout)
		defer cancel()
		return readCore(ctx, d)
	})
	if err != nil {
		return nil, err
	}
	return p.document(r.from, r.msg, body, left), nil
}

// readCore reads the whole document, block by block if the device serves it so (RFC 7959).
func readCore(ctx context.Context, d *device) ([]byte, error) {
	var body []byte
	size := uint32(0) // SZX; the device's choice after the first block
	for number := uint32(0); number < maxCoreBlocks; number++ {
		req := &coap.Message{Code: coap.CodeGET}
		req.Add(coap.OptionURIPath, []byte(".well-known"))
		req.Add(coap.OptionURIPath, []byte("core"))
		if number > 0 {
			req.AddUint(coap.OptionBlock2, number<<4|size)
		}
		resp, err := d.exchange(ctx, &request{from: coap.Source{Peer: "core", Local: true}, msg: req})
		if err != nil {
			return nil, err
		}
		if resp.Code != coap.CodeContent {
			return nil, fmt.Errorf("read core of %s: answer %s", d.id, coap.CodeText(resp.Code))
		}
		if len(body)+len(resp.Payload) > coap.MaxLinkBytes {
			return nil, fmt.Errorf("read core of %s: %w", d.id, coap.ErrTooLarge)
		}
		block, ok := resp.GetUint(coap.OptionBlock2)
		if ok && (block>>4 != number || block&7 == 7 || (number > 0 && block&7 != size)) {
			return nil, fmt.Errorf("read core of %s: block %d answered with %d", d.id, number, block>>4)
		}
		body = append(body, resp.Payload...)
		if !ok || block&8 == 0 {
			return body, nil
		}
		if size = block & 7; len(resp.Payload) != 16<<size {
			return nil, fmt.Errorf("read core of %s: block of %d bytes", d.id, len(resp.Payload))
		}
	}
	return nil, fmt.Errorf("read core of %s: more than %d blocks", d.id, maxCoreBlocks)
}

// listOwn answers what names no service: the node itself lists the services that are here, to its own callers.
func (p *Proxy) listOwn(ctx context.Context, r *request, next handler) (*coap.Message, error) {
	if !r.own {
		return next(ctx, r)
	}
	if !r.core || (!r.from.Local && !r.from.Datagram) {
		return said(&coap.Message{Code: coap.CodeNotFound}, "name a service in Uri-Host or Proxy-Uri: k51..."), nil
	}
	p.mu.Lock()
	var links []string
	for id, s := range p.services {
		if s.device != nil || s.host != nil {
			links = append(links, fmt.Sprintf(`<coap://%s/.well-known/core>;ct=%d;rt="edg.svc"`, id, coap.ContentFormatLink))
		}
	}
	p.mu.Unlock()
	slices.Sort(links)
	return p.document(r.from, r.msg, []byte(strings.Join(links, ",")), time.Second), nil
}

// document answers a GET with a link-format document: 2.03 to who holds it already, else 2.05, in blocks where need be.
func (p *Proxy) document(from coap.Source, req *coap.Message, body []byte, fresh time.Duration) *coap.Message {
	if accept, ok := req.GetUint(coap.OptionAccept); ok && accept != coap.ContentFormatLink {
		return &coap.Message{Code: codeNotAcceptable}
	}
	sum := sha256.Sum256(body)
	tag := sum[:4]
	resp := &coap.Message{Code: coap.CodeContent, Payload: body}
	resp.Add(coap.OptionETag, tag)
	resp.AddUint(coap.OptionMaxAge, uint32(fresh.Seconds()))
	for _, o := range req.Options {
		if o.Number == coap.OptionETag && string(o.Value) == string(tag) {
			resp.Code, resp.Payload = coap.CodeValid, nil
			return resp
		}
	}
	resp.AddUint(coap.OptionContentFormat, coap.ContentFormatLink)
	return blockwise(from, req, resp)
}

// blockwise cuts the block out of an unprotected document that the request asks for, or the first one of a document that
// fits no datagram (RFC 7959).
func blockwise(from coap.Source, req, resp *coap.Message) *coap.Message {
	if _, cut := resp.Get(coap.OptionBlock2); cut || resp.Code != coap.CodeContent {
		return resp
	}
	block, asked := req.GetUint(coap.OptionBlock2)
	if !asked {
		if !from.Datagram || len(resp.Payload) <= 1024 {
			return resp
		}
		block = 6
	}
	size, number := block&7, int(block>>4)
	if size == 7 || block >= 1<<24 {
		return capability.Refusal(capability.ReasonMalformed)
	}
	start := number << (size + 4)
	if start > 0 && start >= len(resp.Payload) {
		return capability.Refusal(capability.ReasonMalformed)
	}
	end := min(start+16<<size, len(resp.Payload))
	part := &coap.Message{Code: resp.Code, Payload: resp.Payload[start:end], Options: slices.Clone(resp.Options)}
	more := uint32(0)
	if end < len(resp.Payload) {
		more = 8
	}
	part.AddUint(coap.OptionBlock2, uint32(number)<<4|more|size)
	return part
}
