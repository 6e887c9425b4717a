package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"github.com/edgeistry/edgeistry/node/state"
)

// MaxBody bounds a request, an answer, and a line of an NDJSON answer, in bytes. The largest request is a module.
const MaxBody = 16 << 20

// Client talks to the node that runs on one home. It may be used by many goroutines.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New makes a client for an address (127.0.0.1:7780) and token. The client sends the token on a connection only after the other side
// has proved that it knows the token itself.
func New(address, token string) *Client {
	t := &http.Transport{
		Proxy:               nil, // loopback: never through a proxy of the environment
		DialContext:         dialNode(token),
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     30 * time.Second,
	}
	return &Client{base: "http://" + address, token: token, http: &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Dial makes a client for the node that runs on h. It does not connect; a node that has gone shows at the first request.
func Dial(h *state.State) (*Client, error) {
	e, err := h.API.Get()
	if err != nil {
		kind := Failed
		if errors.Is(err, state.ErrNotFound) || errors.Is(err, state.ErrForeign) {
			kind = NotFound
		}
		return nil, &Error{Kind: kind, Message: err.Error(), cause: err}
	}
	return New(e.Address, e.Token), nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Healthy asks /healthz: the node's process serves.
func (c *Client) Healthy(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/healthz", nil, nil)
}

// Ready asks /readyz once: nil when the node serves its site.
func (c *Client) Ready(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/readyz", nil, nil)
}

// InMesh asks /readyz?mesh once: nil when the node takes part in its mesh. The error names what is missing.
func (c *Client) InMesh(ctx context.Context) error {
	return c.do(ctx, http.MethodGet, "/readyz?mesh", nil, nil)
}

// Status asks for the node's state.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	return get[Status](ctx, c, "/v1/status")
}

// Devices lists the devices that the node is home to.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	r, err := get[struct {
		Devices []Device `json:"devices"`
	}](ctx, c, "/v1/devices")
	if err != nil {
		return nil, err
	}
	return r.Devices, nil
}

// Claim takes ownership of a device; step is called for each step that is done.
func (c *Client) Claim(ctx context.Context, req ClaimRequest, step func(ClaimStep)) (*ClaimResult, error) {
	var result *ClaimResult
	err := c.stream(ctx, "/v1/devices/claim", req, func(raw []byte) error {
		var line claimLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return Errorf(Failed, "the node's answer is no JSON line: %v", err)
		}
		switch {
		case line.Error != nil:
			return line.Error
		case line.Result != nil:
			result = line.Result
		case step != nil:
			step(line.ClaimStep)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if result == nil {
		return nil, Errorf(Failed, "the node stopped before the claim was done; run the same command again, it takes up where it stopped")
	}
	return result, nil
}

// Services lists the services that the node knows.
func (c *Client) Services(ctx context.Context) ([]Service, error) {
	r, err := get[struct {
		Services []Service `json:"services"`
	}](ctx, c, "/v1/services")
	if err != nil {
		return nil, err
	}
	return r.Services, nil
}

// Resolve looks a service up by ID or local name.
func (c *Client) Resolve(ctx context.Context, nameOrID string) (*Resolution, error) {
	return get[Resolution](ctx, c, "/v1/services/"+url.PathEscape(nameOrID)+"/resolve")
}

// Show looks a service up and asks it for its state.
func (c *Client) Show(ctx context.Context, nameOrID string) (*ServiceDetail, error) {
	return get[ServiceDetail](ctx, c, "/v1/services/"+url.PathEscape(nameOrID)+"/show")
}

// Call sends a request to a service. An answer that is a refusal is a result: see CallResult.Err.
func (c *Client) Call(ctx context.Context, req CallRequest) (*CallResult, error) {
	return post[CallResult](ctx, c, "/v1/call", req)
}

// Reserve assigns the cells of a service to the counts of a capability.
func (c *Client) Reserve(ctx context.Context, req ReserveRequest) (*ReserveResult, error) {
	return post[ReserveResult](ctx, c, "/v1/reserve", req)
}

// Revoke ends a capability.
func (c *Client) Revoke(ctx context.Context, req RevokeRequest) (*RevokeResult, error) {
	return post[RevokeResult](ctx, c, "/v1/revocations", req)
}

// Revocations lists what the node's home has revoked of a service (ID or local name), or with "" of all.
func (c *Client) Revocations(ctx context.Context, service string) ([]Revocation, error) {
	path := "/v1/revocations"
	if service != "" {
		path += "?service=" + url.QueryEscape(service)
	}
	r, err := get[struct {
		Revocations []Revocation `json:"revocations"`
	}](ctx, c, path)
	if err != nil {
		return nil, err
	}
	return r.Revocations, nil
}

// Allow takes an entry out of the node's deny list.
func (c *Client) Allow(ctx context.Context, req AllowRequest) error {
	return c.do(ctx, http.MethodPost, "/v1/revocations/allow", req, nil)
}

// Ping asks for the way to a node or to a service's home.
func (c *Client) Ping(ctx context.Context, req PingRequest) (*PingResult, error) {
	return post[PingResult](ctx, c, "/v1/ping", req)
}

// Append appends to a log.
func (c *Client) Append(ctx context.Context, req AppendRequest) (*Receipt, error) {
	return post[Receipt](ctx, c, "/v1/logs/append", req)
}

// AcceptFork lets the node follow a log anew whose copy contradicts its home.
func (c *Client) AcceptFork(ctx context.Context, req ForkRequest) (*ForkResult, error) {
	return post[ForkResult](ctx, c, "/v1/logs/accept-fork", req)
}

// Read reads a log.
func (c *Client) Read(ctx context.Context, req ReadRequest) (*ReadResult, error) {
	return post[ReadResult](ctx, c, "/v1/logs/read", req)
}

// Tail follows a log until ctx ends, entry returns an error, or the node stops. The end of ctx is no error. source, if not nil, is told where
// the entries come from, before the first and whenever that changes.
func (c *Client) Tail(ctx context.Context, req ReadRequest, source func(Source), entry func(Entry) error) error {
	err := c.stream(ctx, "/v1/logs/tail", req, func(raw []byte) error {
		var line tailLine
		if err := json.Unmarshal(raw, &line); err != nil {
			return Errorf(Failed, "the node's answer is no JSON line: %v", err)
		}
		if line.Error != nil {
			return line.Error
		}
		if line.Source != nil {
			if source != nil {
				source(*line.Source)
			}
			return nil
		}
		return entry(line.Entry)
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Deploy runs a function on every append to a log.
func (c *Client) Deploy(ctx context.Context, req DeployRequest) (*Function, error) {
	return post[Function](ctx, c, "/v1/functions/deploy", req)
}

// ChangeFunction pauses, resumes or removes a function, or skips the entry that it failed on: "pause", "resume", "remove",
// "skip".
func (c *Client) ChangeFunction(ctx context.Context, action, name string) (*Function, error) {
	return post[Function](ctx, c, "/v1/functions/"+action, FunctionRequest{Name: name})
}

// Functions lists the deployed functions.
func (c *Client) Functions(ctx context.Context) ([]Function, error) {
	r, err := get[struct {
		Functions []Function `json:"functions"`
	}](ctx, c, "/v1/functions")
	if err != nil {
		return nil, err
	}
	return r.Functions, nil
}

// Stop asks the node to stop; it answers before it does.
func (c *Client) Stop(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/v1/stop", struct{}{}, nil)
}

func get[T any](ctx context.Context, c *Client, path string) (*T, error) {
	out := new(T)
	if err := c.do(ctx, http.MethodGet, path, nil, out); err != nil {
		return nil, err
	}
	return out, nil
}

func post[T any](ctx context.Context, c *Client, path string, in any) (*T, error) {
	out := new(T)
	if err := c.do(ctx, http.MethodPost, path, in, out); err != nil {
		return nil, err
	}
	return out, nil
}

// send makes the request; an error status has become an *Error.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, Errorf(Usage, "encode the request: %v", err)
		}
		if len(raw) > MaxBody {
			return nil, Errorf(Usage, "the request has %d bytes, at most %d", len(raw), MaxBody)
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, Errorf(Usage, "make the request: %v", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.transportError(ctx, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	var e envelope
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, MaxBody))
	if json.Unmarshal(raw, &e) == nil && e.Error != nil {
		return nil, e.Error
	}
	return nil, Errorf(Failed, "%s at %s is not an edgeistry node (HTTP %d); to do: start the node again", path, c.base, resp.StatusCode)
}

// transportError reports whether no node is there, it did not answer in time, or something else broke.
func (c *Client) transportError(ctx context.Context, err error) *Error {
	var known *Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded):
		return Errorf(Timeout, "the node at %s did not answer in time", c.base)
	case ctx.Err() != nil:
		return Errorf(Failed, "interrupted")
	case errors.Is(err, syscall.ECONNREFUSED):
		return &Error{Kind: NotFound, Message: "no node answers at " + c.base + " (it stopped or was killed)", Action: "edgeistry run"}
	default:
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return &Error{Kind: Failed, Message: fmt.Sprintf("the node at %s: %v", c.base, err), Action: "see the node's log"}
	}
}

func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return c.transportError(ctx, err)
	}
	if len(raw) > MaxBody {
		return Errorf(Failed, "the node's answer is larger than %d bytes; ask for less", MaxBody)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return Errorf(Failed, "the node's answer is not what this program expects: %v", err)
	}
	return nil
}

// stream makes a request and gives each line of the answer to line, until it returns an error or the answer ends.
func (c *Client) stream(ctx context.Context, path string, in any, line func([]byte) error) error {
	resp, err := c.send(ctx, http.MethodPost, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	s := bufio.NewScanner(resp.Body)
	s.Buffer(make([]byte, 0, 4096), MaxBody)
	for s.Scan() {
		if len(bytes.TrimSpace(s.Bytes())) == 0 {
			continue
		}
		if err := line(s.Bytes()); err != nil {
			return err
		}
	}
	if err := s.Err(); err != nil {
		return c.transportError(ctx, err)
	}
	return nil
}
