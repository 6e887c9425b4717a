package server

import (
	"context"
	"net/http"

	"github.com/edgeistry/edgeistry/node/api"
)

// Node is what the API asks of a node, by resource.
type Node interface {
	Process
	Devices
	DeviceNames
	Services
	Peers
	Revocations
	Caller
	Logs
	Functions
}

// Process is the node itself.
type Process interface {
	Status(ctx context.Context) (*api.Status, error)
	Readiness
	RequestStop() // tells the node to stop, and does not wait
}

// Readiness says what the node lacks; "" means nothing.
type Readiness interface {
	NotReady() string  // to serve its site
	NotInMesh() string // to take part in its mesh
}

// Devices are the devices that the node is home to. A claim goes on when the asker goes away.
type Devices interface {
	Devices(ctx context.Context) ([]api.Device, error)
	Claim(ctx context.Context, r api.ClaimRequest, step func(step, of int, text string)) (*api.ClaimResult, error)
	RemoveDevice(ctx context.Context, r api.RemoveDeviceRequest) (*api.Forgotten, error)
}

// DeviceNames are the local names of devices and other services.
type DeviceNames interface {
	DeviceClock(ctx context.Context, r api.DeviceClockRequest) (*api.DeviceClock, error)
	RenameDevice(ctx context.Context, r api.RenameDeviceRequest) (*api.Renamed, error)
	ForgetService(ctx context.Context, r api.ForgetServiceRequest) (*api.Forgotten, error)
}

// Services are the services that the node knows.
type Services interface {
	Services(ctx context.Context) ([]api.Service, error)
	Resolve(ctx context.Context, nameOrID string) (*api.Resolution, error)
	Show(ctx context.Context, nameOrID string) (*api.ServiceDetail, error)
}

// Peers are the other nodes of the mesh.
type Peers interface {
	Ping(ctx context.Context, r api.PingRequest) (*api.PingResult, error)
}

// Revocations are the deny list and the changes that services have to confirm.
type Revocations interface {
	Revocations(ctx context.Context, service string) ([]api.Revocation, error)
	Revoke(ctx context.Context, r api.RevokeRequest) (*api.RevokeResult, error)
	Allow(ctx context.Context, r api.AllowRequest) (*struct{}, error)
}

// Caller sends requests to services.
type Caller interface {
	Call(ctx context.Context, r api.CallRequest) (*api.CallResult, error)
	Reserve(ctx context.Context, r api.ReserveRequest) (*api.ReserveResult, error)
}

// Logs are the logs of services.
type Logs interface {
	Append(ctx context.Context, r api.AppendRequest) (*api.Receipt, error)
	AcceptFork(ctx context.Context, r api.ForkRequest) (*api.ForkResult, error)
	Read(ctx context.Context, r api.ReadRequest) (*api.ReadResult, error)
	Tail(ctx context.Context, r api.ReadRequest, to Listener) error
}

// Listener takes what Tail finds. What one of its funcs returns ends Tail.
type Listener struct {
	Source func(api.Source) error // the log can be read: from where, and again when that changes
	Entry  func(api.Entry) error
	Idle   func() error // now and then while there is nothing new
}

// Functions are the functions that the node runs.
type Functions interface {
	Functions(ctx context.Context) ([]api.Function, error)
	Deploy(ctx context.Context, r api.DeployRequest) (*api.Function, error)
	// ChangeFunction does one of functionActions.
	ChangeFunction(ctx context.Context, action string, r api.FunctionRequest) (*api.Function, error)
}

var functionActions = []string{"pause", "resume", "skip", "remove"}

// handler returns the whole API.
func (s *Server) handler(n Node) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", result(s, func(ctx context.Context, _ *http.Request) (any, error) { return n.Status(ctx) }))
	mux.HandleFunc("POST /v1/stop", body(s, maxSmallBody, func(context.Context, struct{}) (*struct{}, error) {
		n.RequestStop()
		return &struct{}{}, nil
	}))

	mux.HandleFunc("GET /v1/devices", list(s, "devices", func(ctx context.Context, _ *http.Request) ([]api.Device, error) { return n.Devices(ctx) }))
	mux.HandleFunc("POST /v1/devices/claim", stream(s, s.claim(n)))
	mux.HandleFunc("POST /v1/devices/remove", body(s, maxSmallBody, n.RemoveDevice))
	mux.HandleFunc("POST /v1/devices/clock", body(s, maxSmallBody, n.DeviceClock))
	mux.HandleFunc("POST /v1/devices/rename", body(s, maxSmallBody, n.RenameDevice))

	mux.HandleFunc("GET /v1/services", list(s, "services", func(ctx context.Context, _ *http.Request) ([]api.Service, error) { return n.Services(ctx) }))
	mux.HandleFunc("GET /v1/services/{id}/resolve", result(s, func(ctx context.Context, r *http.Request) (any, error) {
		return n.Resolve(ctx, r.PathValue("id"))
	}))
	mux.HandleFunc("GET /v1/services/{id}/show", result(s, func(ctx context.Context, r *http.Request) (any, error) {
		return n.Show(ctx, r.PathValue("id"))
	}))
	mux.HandleFunc("POST /v1/services/forget", body(s, maxSmallBody, n.ForgetService))
	mux.HandleFunc("POST /v1/ping", body(s, maxSmallBody, n.Ping))

	mux.HandleFunc("GET /v1/revocations", list(s, "revocations", func(ctx context.Context, r *http.Request) ([]api.Revocation, error) {
		return n.Revocations(ctx, r.URL.Query().Get("service"))
	}))
	mux.HandleFunc("POST /v1/revocations", body(s, maxSmallBody, n.Revoke))
	mux.HandleFunc("POST /v1/revocations/allow", body(s, maxSmallBody, n.Allow))

	mux.HandleFunc("POST /v1/call", body(s, maxSmallBody, n.Call))
	mux.HandleFunc("POST /v1/reserve", body(s, maxSmallBody, n.Reserve))

	mux.HandleFunc("POST /v1/logs/append", body(s, maxSmallBody, n.Append))
	mux.HandleFunc("POST /v1/logs/accept-fork", body(s, maxSmallBody, n.AcceptFork))
	mux.HandleFunc("POST /v1/logs/read", body(s, maxSmallBody, n.Read))
	mux.HandleFunc("POST /v1/logs/tail", stream(s, tail(n)))

	mux.HandleFunc("GET /v1/functions", list(s, "functions", func(ctx context.Context, _ *http.Request) ([]api.Function, error) { return n.Functions(ctx) }))
	mux.HandleFunc("POST /v1/functions/deploy", body(s, api.MaxBody, n.Deploy))
	for _, action := range functionActions {
		mux.HandleFunc("POST /v1/functions/"+action, body(s, maxSmallBody, func(ctx context.Context, r api.FunctionRequest) (*api.Function, error) {
			return n.ChangeFunction(ctx, action, r)
		}))
	}

	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.writeError(w, api.Errorf(api.NotFound, "the API has no %s %s", r.Method, r.URL.Path))
	})
	return s.guard(n, mux)
}

// claim answers a claim in lines, one a step. The claim goes on when the asker goes away: it ends with the server's context.
func (s *Server) claim(n Devices) func(context.Context, api.ClaimRequest, *lines) error {
	return func(_ context.Context, r api.ClaimRequest, l *lines) error {
		result, err := n.Claim(s.ctx, r, func(step, of int, text string) {
			_ = l.send(api.ClaimStep{Step: step, Of: of, Text: text}) // nobody may be watching any more
		})
		if err != nil {
			return err
		}
		return l.send(map[string]any{"result": result})
	}
}

// tail answers with the entries of a log as they come, one a line.
func tail(n Logs) func(context.Context, api.ReadRequest, *lines) error {
	return func(ctx context.Context, r api.ReadRequest, l *lines) error {
		return n.Tail(ctx, r, Listener{
			Source: func(s api.Source) error { return l.send(map[string]any{"source": s}) },
			Entry:  func(e api.Entry) error { return l.send(e) },
			Idle:   l.blank,
		})
	}
}
