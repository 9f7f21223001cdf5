package daemon

import (
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/cluster/auth"
	"github.com/windrow-mr/windrow/cluster/gossip"
	"github.com/windrow-mr/windrow/internal/cli"
)

const off = "off"

// startGossip takes part in gossip, and returns nil if gossip is off. It begins
// with seeds and with the processes that the user named.
func (s *process) startGossip(c *urfave.Context, local bool, meta gossip.Meta, seeds []string, notify func(gossip.Event)) (*gossip.Node, error) {
	bind := c.String("gossip")
	switch {
	case bind == off, bind == "" && !local:
		return nil, nil
	case bind == "":
		bind = "127.0.0.1:0"
	}
	keys, err := readKeys(c.String("gossip-key-file"))
	if err != nil {
		return nil, cli.Invalidf(c, "%v", err)
	}
	cfg := gossip.Config{Name: s.id, Cluster: s.cluster(), Bind: bind, Keys: keys, Meta: meta, Notify: notify, Log: s.log,
		Seeds: append(c.StringSlice("join"), seeds...)}
	if host, _, err := net.SplitHostPort(bind); err == nil {
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			cfg.Advertise = "" // the library picks a private address
		}
	}
	node, err := gossip.Start(cfg)
	if err != nil {
		return nil, cli.Invalidf(c, "%v", err)
	}
	return node, nil
}

// readKeys reads the keys of gossip from a file, none without a file.
func readKeys(file string) ([][]byte, error) {
	if file == "" {
		return nil, nil
	}
	if err := auth.Private(file, "gossip keys"); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("gossip keys: %w", err)
	}
	var keys [][]byte
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			return nil, fmt.Errorf("gossip keys: line %d of %s is not base64: make a key with 'head -c 32 /dev/urandom | base64'", n+1, file)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("gossip keys: %s holds none: make one with 'head -c 32 /dev/urandom | base64'", file)
	}
	return keys, nil
}
