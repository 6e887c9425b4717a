package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/edgeistry/edgeistry/node"
	"github.com/edgeistry/edgeistry/node/api"
	"github.com/edgeistry/edgeistry/node/state"
)

func (c *cli) runCommand() *cobra.Command {
	var level string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the node",
		Long: `Run starts the node of this home and stays until Ctrl-C, SIGTERM, or the end of its terminal (SIGHUP;
under nohup it stays). A second Ctrl-C or SIGTERM ends it at once. Killing it at any moment loses nothing that
was acknowledged. One line on standard output says when it is ready, which means that it serves its site. The log
goes to standard error; the node goes on when the log's reader goes away. Under systemd use Type=notify:
systemctl status then shows the node's standing in its mesh.`,
		Example: `  edgeistry run
  edgeistry run --home /srv/edgeistry --log-level debug`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context(), level) },
	}
	cmd.Flags().StringVar(&level, "log-level", "", "`LEVEL` of the log: debug, info, warn, error (default: that of config.yaml)")
	return cmd
}

// serve runs the node until ctx ends.
func (c *cli) serve(ctx context.Context, level string) error {
	h, err := c.openHome()
	if err != nil {
		return err
	}
	if level == "" {
		level = h.Config().LogLevel
	}
	logger, err := c.logger(level)
	if err != nil {
		return err
	}
	tameLibraries(logger)
	ctx, stop := daemonSignals(ctx)
	defer stop()
	// systemd's socket is for this process alone, and it may be absent: then there is nobody to tell.
	tell := func(state string) {
		if _, err := daemon.SdNotify(false, state); err != nil {
			logger.Warn("systemd was not told", "state", state, "error", err)
		}
	}
	stopping := context.AfterFunc(ctx, func() { tell(daemon.SdNotifyStopping) })
	defer stopping()
	err = node.Run(ctx, h, node.Config{
		Version: buildInfo().Version,
		Logger:  logger,
		Ready: func(s *api.Status) {
			c.announce(s)
			tell(daemon.SdNotifyReady)
		},
		State: func(text string) { tell("STATUS=" + text) },
		Fatal: func(err error) {
			c.report(failedf("%w", err))
			os.Exit(exitFailed)
		},
	})
	var locked *state.LockedError
	if errors.As(err, &locked) {
		return failedf("%w", locked)
	}
	if err != nil {
		return failedf("%w", err)
	}
	return nil
}

// daemonSignals returns a context that ends when the node's terminal goes away, so that the node stops cleanly. A node whose log
// goes into a pipe goes on when the pipe's reader ends: writing then fails with an error, not with a signal.
func daemonSignals(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Ignore(syscall.SIGPIPE)
	if signal.Ignored(syscall.SIGHUP) { // nohup
		return ctx, func() {}
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// announce prints the one line that says where the node is.
func (c *cli) announce(s *api.Status) {
	if c.json {
		if err := c.writeLine(s); err != nil {
			fmt.Fprintln(c.stderr, "print the ready line:", err)
		}
		return
	}
	coap := s.CoAP
	if coap == "" {
		coap = "none"
	}
	c.printf("ready  node %s  mesh %s  api %s  coap %s  peers %d\n", s.Node, s.Mesh, s.API, coap, len(s.Peers))
}

// logger writes to standard error: text for people, JSON with --json.
func (c *cli) logger(level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, usagef("--log-level %.20q is none of debug, info, warn, error", level)
	}
	options := &slog.HandlerOptions{Level: l}
	if c.json {
		return slog.New(slog.NewJSONHandler(c.stderr, options)), nil
	}
	return slog.New(slog.NewTextHandler(c.stderr, options)), nil
}

// tameLibraries takes what libraries print through the standard library's logger into the node's log, at debug: the mDNS
// library prints a line about each network interface that it cannot use.
func tameLibraries(to *slog.Logger) {
	log.SetFlags(0)
	log.SetOutput(slog.NewLogLogger(to.With("from", "library").Handler(), slog.LevelDebug).Writer())
}
