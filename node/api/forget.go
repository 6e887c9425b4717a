package api

import "context"

// RemoveDeviceRequest takes a device out of the node: its link, its names, its key and its capabilities.
type RemoveDeviceRequest struct {
	Device   string `json:"device"`              // ID or local name
	KeepLogs bool   `json:"keep_logs,omitempty"` // leave the copies of its logs on disk
	Preview  bool   `json:"preview,omitempty"`   // say what would be lost and change nothing
}

// RenameDeviceRequest gives a device another local name.
type RenameDeviceRequest struct {
	Device string `json:"device"` // ID or local name
	Name   string `json:"name"`
}

// ForgetServiceRequest takes a service that is not this node's out of the names and the keychain.
type ForgetServiceRequest struct {
	Service string `json:"service"`           // ID: all that is known of it; local name: that name and the capabilities under it
	Preview bool   `json:"preview,omitempty"` // say what would be lost and change nothing
}

// Forgotten is what went, or would go.
type Forgotten struct {
	Service      string   `json:"service"`
	Names        []string `json:"names"`         // local names
	Capabilities []string `json:"capabilities"`  // keychain names
	Key          bool     `json:"key,omitempty"` // the service's key: nobody can mint or revoke its capabilities any more
	Logs         []string `json:"logs"`          // logs whose copies go
	Kept         []string `json:"kept"`          // logs whose copies stay on this node's disk
	Preview      bool     `json:"preview,omitempty"`
}

// Renamed is a device's new name, and the keychain names that went with it.
type Renamed struct {
	Service      string   `json:"service"`
	Name         string   `json:"name"`
	Before       string   `json:"before,omitempty"`
	Capabilities []string `json:"capabilities"`
}

// RemoveDevice takes a device out of the node.
func (c *Client) RemoveDevice(ctx context.Context, req RemoveDeviceRequest) (*Forgotten, error) {
	return post[Forgotten](ctx, c, "/v1/devices/remove", req)
}

// RenameDevice gives a device another local name.
func (c *Client) RenameDevice(ctx context.Context, req RenameDeviceRequest) (*Renamed, error) {
	return post[Renamed](ctx, c, "/v1/devices/rename", req)
}

// ForgetService takes a service of others out of the names and the keychain.
func (c *Client) ForgetService(ctx context.Context, req ForgetServiceRequest) (*Forgotten, error) {
	return post[Forgotten](ctx, c, "/v1/services/forget", req)
}
