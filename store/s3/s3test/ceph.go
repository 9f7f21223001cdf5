package s3test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/store/internal/testserver"
)

// Ceph is a cluster of one monitor, one disk, which is a sparse file, and one
// gateway that speaks S3. It takes some 15 s to start, so tests share one.
type Ceph struct {
	server  *Server
	buckets atomic.Int64
}

// StartCeph starts a cluster for the rest of the test, from the programs of the
// packages radosgw, ceph-mon, ceph-osd and ceph-common of Debian. They must be
// installed.
func StartCeph(t testing.TB) *Ceph {
	t.Helper()
	SetCredentials()
	c := startMonitor(t)
	c.run(t, "ceph", "osd", "new", cephDisk)
	c.run(t, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", cephDisk)
	c.run(t, "ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h")
	testserver.Spawn(t, "ceph-osd", "-c", c.config, "-f", "-i", "0")
	c.run(t, "radosgw-admin", "user", "create", "--uid", "test", "--display-name", "test", "--access-key", accessKey, "--secret", secretKey)
	testserver.Start(t, testserver.Server{
		Program: "radosgw",
		// The gateway listens where its configuration says.
		Args: func(address string) []string {
			c.configure(t, address)
			return []string{"-c", c.config, "-f", "-n", "client.rgw.a"}
		},
		Path: "/", Ready: answersXML,
	})
	return &Ceph{server: server(c.gateway, c.dir)}
}

// startMonitor starts a monitor. It tries another port if another process took
// the free one first.
func startMonitor(t testing.TB) *cephCluster {
	t.Helper()
	const tries = 4
	for try := 1; ; try++ {
		c := &cephCluster{dir: t.TempDir(), monitor: testserver.FreePort(t)}
		c.config = filepath.Join(c.dir, "ceph.conf")
		c.configure(t, "127.0.0.1:0")
		monmap := filepath.Join(c.dir, "monmap")
		c.run(t, "monmaptool", "--create", "--addv", "a", "[v1:"+c.monitor+"]", "--fsid", cephID, monmap)
		c.run(t, "ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
		testserver.Spawn(t, "ceph-mon", "-c", c.config, "-f", "-i", "a")
		err := c.try(t, "ceph", "--connect-timeout", "20", "mon", "stat")
		if err == nil {
			return c
		}
		if try == tries {
			t.Fatal(err)
		}
	}
}

// NewBucket makes an empty bucket and returns its URL.
func (c *Ceph) NewBucket(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test-%d", c.buckets.Add(1))
	c.server.makeBucket(t, name)
	return strings.Replace(c.server.URL, "//"+bucket+"?", "//"+name+"?", 1)
}

// These name the cluster and its disk; any name will do.
const (
	cephID   = "5f0c7c1e-3d54-4c0b-9c39-0d7a3b6f3a11"
	cephDisk = "9a2f0a3c-8f57-4a84-8f0d-64b1c3f6d0e2"
)

// cephCluster is a cluster that is being started.
type cephCluster struct {
	dir, config      string
	monitor, gateway string // addresses
}

// configure writes the configuration.
func (c *cephCluster) configure(t testing.TB, gateway string) {
	t.Helper()
	c.gateway = gateway
	for _, d := range []string{"mon/ceph-a", "osd/ceph-0", "rgw", "run", "log"} {
		if err := os.MkdirAll(filepath.Join(c.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf(`[global]
fsid = %[1]s
mon host = [v1:%[2]s]
ms bind msgr2 = false
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
mon allow pool size one = true
mon warn on pool no redundancy = false
osd crush chooseleaf type = 0
osd pool default pg num = 8
mon data = %[4]s/mon/ceph-a
osd data = %[4]s/osd/ceph-0
rgw data = %[4]s/rgw
run dir = %[4]s/run
admin socket = %[4]s/run/$name.asok
log file = %[4]s/log/$name.log
bluestore block size = 12884901888
osd memory target = 939524096
[client.rgw.a]
rgw frontends = beast endpoint=%[3]s tcp_nodelay=1
`, cephID, c.monitor, gateway, c.dir)
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs one of the programs to its end, which must be a success. The first
// answers of a monitor that has just begun may be refusals.
func (c *cephCluster) run(t testing.TB, program string, args ...string) {
	t.Helper()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for left := 20; ; left-- {
		err := c.try(t, program, args...)
		if err == nil {
			return
		}
		if program != "ceph" || left == 0 {
			t.Fatal(err)
		}
		<-tick.C
	}
}

// try runs one of the programs to its end.
func (c *cephCluster) try(t testing.TB, program string, args ...string) error {
	if program != "monmaptool" {
		args = append([]string{"-c", c.config}, args...)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", program, args, err, out)
	}
	return nil
}
