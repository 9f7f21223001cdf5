package daemon_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const token = "0123456789abcdef0123456789abcdef"

// TestMistakes verifies that a daemon that is started with a mistake does not start,
// and that the message names the flag or the file.
func TestMistakes(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	open := file(t, token) // others may read it
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	here := func(args ...string) []string {
		return append([]string{args[0], "--root", root}, args[1:]...)
	}
	for name, tt := range map[string]struct {
		args  []string
		words []string
	}{
		"master without a root":     {[]string{"master"}, []string{"no root", "--root", "windrow master --help"}},
		"worker without a root":     {[]string{"worker"}, []string{"no root", "windrow worker --help"}},
		"level of logs":             {here("master", "--log", "loud"), []string{`--log "loud"`, "debug, info, warn"}},
		"argument of a master":      {here("master", "now"), []string{`unexpected argument "now"`}},
		"argument of a worker":      {here("worker", "now"), []string{`unexpected argument "now"`}},
		"argument of dev":           {here("dev", "now"), []string{`unexpected argument "now"`}},
		"unknown flag":              {here("worker", "--slot", "2"), []string{"unknown flag --slot", "--slots"}},
		"scheme of the root":        {[]string{"master", "--root", "ftp://x"}, []string{"ftp"}},
		"allowed URL":               {here("master", "--allow", "S3://b"), []string{"S3://b", "lower case"}},
		"address":                   {here("master", "--listen", "7077"), []string{`"7077"`, "HOST:PORT"}},
		"address that others reach": {here("master", "--listen", "0.0.0.0:0"), []string{"refusing to listen at 0.0.0.0:0", "--token-file"}},
		"every address":             {here("master", "--listen", ":0"), []string{"refusing to listen at :0"}},
		"token that others read":    {here("master", "--token-file", open), []string{open, "chmod"}},
		"short token":               {here("master", "--token-file", file(t, "secret")), []string{"32"}},
		"token that is missing":     {here("worker", "--token-file", filepath.Join(root, "none")), []string{filepath.Join(root, "none")}},
		"token of workers alone":    {here("master", "--worker-token-file", file(t, token)), []string{"give both"}},
		"authority alone":           {here("master", "--ca-file", file(t, "")), []string{"--ca-file", "--cert-file"}},
		"certificate":               {here("master", "--cert-file", file(t, "x"), "--key-file", file(t, "x")), []string{"certificate"}},
		"gossip keys":               {here("worker", "--cgroup", "off", "--cache", root, "--gossip-key-file", file(t, "\nkey\n")), []string{"line 2", "base64"}},
		"gossip keys of a master":   {here("master", "--listen", "127.0.0.1:0", "--gossip-key-file", file(t, "\nkey\n")), []string{"line 2", "base64"}},
		"no gossip keys":            {here("worker", "--cgroup", "off", "--cache", root, "--gossip-key-file", file(t, "\n")), []string{"holds none", "head -c 32"}},
		"missing gossip keys":       {here("worker", "--cgroup", "off", "--cache", root, "--gossip-key-file", filepath.Join(root, "none")), []string{"gossip keys"}},
		"memory":                    {here("worker", "--memory", "much"), []string{"--memory", "much"}},
		"memory for slots":          {here("worker", "--memory", "200MiB", "--slots", "8", "--cgroup", "off", "--cache", root), []string{"8"}},
		"size of the cache":         {here("worker", "--cache-size", "-1"), []string{"--cache-size"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := refused(t, 2, tt.args...)
			for _, words := range tt.words {
				if !strings.Contains(said, words) {
					t.Errorf("%q does not contain %q", said, words)
				}
			}
			if strings.Contains(said, token) {
				t.Errorf("the token is printed: %s", said)
			}
		})
	}
}

// TestAddressInUse verifies that a master whose port is taken says so, and ends.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	said := refused(t, 1, "master", "--root", t.TempDir(), "--listen", l.Addr().String())
	if !strings.Contains(said, l.Addr().String()) || !strings.Contains(said, "in use") {
		t.Errorf("it prints %q", said)
	}
}
