package mesh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// probePorts returns an error that names the first listening port that another program holds already.
//
// libp2p shares its TCP ports (SO_REUSEPORT), because a hole is punched from the port that the node listens on. The
// kernel then lets a second node of the same user listen on the same port and deals the connections out between the two.
// Also libp2p starts if it can listen on only one of several addresses. A socket without SO_REUSEPORT is refused while
// anybody listens, so this opens one and closes it before libp2p opens its own. An address that this machine does not
// have is left to libp2p, because it may come later.
func probePorts(addrs []ma.Multiaddr) error {
	for _, a := range addrs {
		network, address, err := manet.DialArgs(socketAddr(a))
		if err != nil || strings.HasSuffix(address, ":0") {
			continue
		}
		err = probePort(network, address)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("listen on %s: the port is in use by another program (ss -lntup shows which); stop it, or choose another port in listen in config.yaml", a)
		case errors.Is(err, syscall.EACCES):
			return fmt.Errorf("listen on %s: not allowed; ports below 1024 need the right to use them: choose another port in listen in config.yaml", a)
		}
	}
	return nil
}

// socketAddr returns the part of a listening address that a socket is bound to: a transport above TCP or UDP takes the
// same port.
func socketAddr(a ma.Multiaddr) ma.Multiaddr {
	socket := false
	head, _ := ma.SplitFunc(a, func(c ma.Component) bool {
		after := socket
		socket = socket || c.Protocol().Code == ma.P_TCP || c.Protocol().Code == ma.P_UDP
		return after
	})
	return head
}

func probePort(network, address string) error {
	var config net.ListenConfig
	if strings.HasPrefix(network, "udp") {
		c, err := config.ListenPacket(context.Background(), network, address)
		if err != nil {
			return err
		}
		return c.Close()
	}
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		return err
	}
	return l.Close()
}
