package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"github.com/edgeistry/edgeistry/node/config"
)

// portSet holds ports as "tcp 7776" and "udp 5683".
type portSet map[string]bool

func portOf(network, address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return network[:3] + " " + port
}

// ownPorts returns the ports that the node of this state directory has now; none if it does not run.
func (c *cli) ownPorts(ctx context.Context) portSet {
	status := c.statusIfRunning(ctx)
	if status == nil {
		return nil
	}
	own := portSet{portOf("tcp", strings.TrimPrefix(status.API, "http://")): true, portOf("udp", status.CoAP): true}
	for _, text := range status.Addrs {
		if network, address, err := socketOf(text); err == nil {
			own[portOf(network, address)] = true
		}
	}
	delete(own, "")
	return own
}

// socketOf returns the socket that a listening multiaddr takes. A transport above TCP or UDP takes the same port.
func socketOf(text string) (network, address string, err error) {
	addr, err := multiaddr.NewMultiaddr(text)
	if err != nil {
		return "", "", err
	}
	addr, _ = multiaddr.SplitFunc(addr, func(c multiaddr.Component) bool {
		switch c.Protocol().Code {
		case multiaddr.P_IP4, multiaddr.P_IP6, multiaddr.P_IP6ZONE, multiaddr.P_TCP, multiaddr.P_UDP:
			return false
		}
		return true
	})
	if len(addr) == 0 {
		return "", "", errors.New("it begins with no IP address")
	}
	network, address, err = manet.DialArgs(addr)
	if err == nil && !strings.HasPrefix(network, "tcp") && !strings.HasPrefix(network, "udp") {
		err = errors.New("it names no TCP or UDP port")
	}
	return network, address, err
}

// unusable tries to take every port of a configuration, all at once, and returns what the system refuses. A port that the
// running node has itself is no fault; own reports that there is one.
func unusable(ctx context.Context, config *config.Config, running portSet) (problems []string, own bool) {
	var taken []io.Closer
	defer func() {
		for _, t := range taken {
			_ = t.Close()
		}
	}()
	try := func(what, network, address string) {
		t, err := takePort(ctx, network, address)
		switch {
		case err == nil:
			taken = append(taken, t)
		case inUse(err) && running[portOf(network, address)]:
			own = true
		default:
			problems = append(problems, fmt.Sprintf("%s %s: %v", what, address, err))
		}
	}
	try("api", "tcp", config.APIListen)
	if config.CoAPListen != "" {
		try("coap", "udp", config.CoAPListen)
	}
	for _, text := range config.Listen {
		network, address, err := socketOf(text)
		if err != nil {
			problems = append(problems, fmt.Sprintf("mesh %s: %v", text, err))
			continue
		}
		try("mesh", network, address)
	}
	return problems, own
}

func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }

// takePort takes a port as the node would, but shares it with nobody.
func takePort(ctx context.Context, network, address string) (io.Closer, error) {
	var config net.ListenConfig
	var t io.Closer
	var err error
	if strings.HasPrefix(network, "udp") {
		t, err = config.ListenPacket(ctx, network, address)
	} else {
		t, err = config.Listen(ctx, network, address)
	}
	if err == nil {
		return t, nil
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return nil, op.Err
	}
	return nil, err
}
