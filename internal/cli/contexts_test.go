package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/master/journal"
	"github.com/windrow-mr/windrow/store"
)

// saved returns the contexts of a user, as -o json prints them.
func (u *user) saved(t *testing.T) remote.Contexts {
	t.Helper()
	var all remote.Contexts
	if err := json.Unmarshal([]byte(u.must(t, "context", "ls", "-o", "json")), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestContextSet verifies that a context is made and changed by what flags say, and that
// the rest stays.
func TestContextSet(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"token", "ca", "cert", "key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("t", 40)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	relative, err := filepath.Rel(here, filepath.Join(dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	code, _, stderr := u.do(t, "context", "set", "prod", "--master", "http://a:1", "--token-file", relative)
	want := remote.Target{Master: "http://a:1", Token: filepath.Join(dir, "token")} // commands may run elsewhere
	if all := u.saved(t); code != exitOK || all.Version != 1 || all.Current != "" || len(all.Contexts) != 1 || all.Contexts["prod"] != want {
		t.Errorf("the first context, which is not used before a user says so, is %+v: %s", all, stderr)
	}
	if !strings.Contains(stderr, "context use prod") {
		t.Errorf("it does not say how to use the context: %s", stderr)
	}
	u.must(t, "context", "use", "prod")
	u.must(t, "context", "set", "prod", "--ca-file", filepath.Join(dir, "ca"), "--cert-file", filepath.Join(dir, "cert"), "--key-file", filepath.Join(dir, "key"))
	want.CA, want.Cert, want.Key = filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	if got := u.saved(t).Contexts["prod"]; got != want {
		t.Errorf("with certificates it is %+v", got)
	}
	u.must(t, "context", "set", "prod", "--root", "s3://bucket/cluster")
	want.Master, want.Root = "", "s3://bucket/cluster" // a cluster is at one place
	if got := u.saved(t).Contexts["prod"]; got != want {
		t.Errorf("at a root it is %+v", got)
	}
	u.must(t, "context", "set", "Test-1.a_b", "--master", "http://b:1")
	if all := u.saved(t); all.Current != "prod" || len(all.Contexts) != 2 {
		t.Errorf("a second context: %+v", all)
	}
	list := u.must(t, "context", "ls")
	for _, row := range [][]string{{"*", "prod", "s3://bucket/cluster", want.Token}, {"Test-1.a_b", "http://b:1"}} {
		found := false
		for line := range strings.Lines(list) {
			found = found || strings.Join(strings.Fields(line), " ") == strings.Join(row, " ")
		}
		if !found {
			t.Errorf("the list has no row %q:\n%s", row, list)
		}
	}
	u.must(t, "context", "rename", "prod", "live")
	if all := u.saved(t); all.Current != "live" || all.Contexts["live"] != want || len(all.Contexts) != 2 {
		t.Errorf("with another name: %+v", all)
	}
	u.must(t, "context", "rm", "live", "Test-1.a_b")
	if all := u.saved(t); all.Current != "" || len(all.Contexts) != 0 {
		t.Errorf("when they are removed there are %+v", all)
	}
	files, err := os.ReadDir(u.config)
	if err != nil || len(files) != 1 {
		t.Errorf("there are the files %v (%v)", files, err)
	}
}

// TestContextMistakes verifies that a mistake changes no context.
func TestContextMistakes(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.must(t, "context", "set", "prod", "--master", "http://a:1")
	u.must(t, "context", "use", "prod")
	for _, tt := range []struct{ typed, says string }{
		{"context set", "NAME"},
		{"context set a b --master http://a:1", `"b"`},
		{"context set .a --master http://a:1", `".a"`},
		{"context set " + strings.Repeat("a", 64) + " --master http://a:1", "aaa"},
		{"context set new --token-file x", "--master"},
		{"context set new --master http://a:1 --root s3://b", "--root"},
		{"context set new --master ftp://a", "ftp"},
		{"context set new --master a:1:2", "a:1:2"},
		{"context set new --root s3://", "s3://bucket"},
		{"context set new --master http://a:1 --token-file /nowhere/token", "/nowhere/token"},
		{"context set new --master http://a:1 --ca-file /nowhere/ca", "/nowhere/ca"},
		{"context rename prod", "NAME NEW"},
		{"context rename prdo x", `"prod"`},
		{"context rename prod prod", "already"},
		{"context rename prod .x", `".x"`},
		{"context rm", "NAME"},
		{"context rm prod other", `"other"`},
		{"context use", "NAME"},
		{"context use prdo", `"prod"`},
		{"context ls x", `"x"`},
		{"context sett", `"set"`},
		{"ls --context prdo", `"prod"`},
	} {
		if code, stdout, stderr := u.do(t, strings.Fields(tt.typed)...); code != exitInvalid || stdout != "" || !strings.Contains(stderr, tt.says) {
			t.Errorf("%s: exit %d: %s%s", tt.typed, code, stdout, stderr)
		}
	}
	if all := u.saved(t); len(all.Contexts) != 1 || all.Current != "prod" {
		t.Errorf("after that there are %+v", all)
	}
}

// TestContextsOfANewerBuild verifies that a file of contexts that this build does not
// know is not used, nor overwritten.
func TestContextsOfANewerBuild(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	if err := os.MkdirAll(u.config, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(u.config, "config.json")
	const newer = `{"version": 2, "contexts": {"a": {"master": "http://a:1"}}}`
	if err := os.WriteFile(file, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"ls"}, {"context", "ls"}, {"context", "use", "a"}, {"context", "set", "b", "--master", "http://b:1"}} {
		if code, _, stderr := u.do(t, args...); code != exitFailed || !strings.Contains(stderr, file) || !strings.Contains(stderr, "version 2") {
			t.Errorf("%q: exit %d: %s", args, code, stderr)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != newer {
		t.Errorf("the file is %q now (%v)", got, err)
	}
}

// TestMasterOfARoot verifies that a command finds the master by the root of the cluster,
// and says what is wrong if no master leads there.
func TestMasterOfARoot(t *testing.T) {
	t.Parallel()
	b, url := master(t)
	b.SetWorkers(client.Worker{ID: "w-of-the-root"})
	u := newUser(t)
	u.stores = store.Options{Mem: new(store.MemSpace)}
	elect := func(root, url string) {
		t.Helper()
		r, err := store.Open(t.Context(), root, u.stores)
		if err != nil {
			t.Fatal(err)
		}
		_, err = journal.Elect(t.Context(), r, journal.Leader{Master: "m", URL: url}, func() time.Duration { return 0 }, journal.LeaseTimes(), func(journal.Leader) {})
		if err != nil {
			t.Fatal(err)
		}
	}
	elect("mem://led", url)
	elect("mem://secret", "")
	if printed := u.must(t, "workers", "ls", "--root", "mem://led"); !strings.Contains(printed, "w-of-the-root") {
		t.Errorf("by the root: %s", printed)
	}
	u.env["WINDROW_ROOT"] = "mem://led"
	u.must(t, "workers", "ls")
	u.must(t, "context", "set", "x", "--root", "mem://led")
	u.must(t, "context", "use", "x")
	delete(u.env, "WINDROW_ROOT")
	u.must(t, "workers", "ls")
	for _, tt := range []struct {
		root, says string
		code       int
	}{
		{"nosuch://x", "nosuch", exitInvalid},
		{filepath.Join(t.TempDir(), "none"), "none", exitNotFound},
	} {
		if code, stdout, stderr := u.do(t, "ls", "--root", tt.root); code != tt.code || stdout != "" || !strings.Contains(stderr, tt.says) {
			t.Errorf("at %s: exit %d: %s%s", tt.root, code, stdout, stderr)
		}
	}
	for root, says := range map[string]string{"mem://none": "windrow master --root mem://none", "mem://secret": "address"} {
		_, err := remote.FindLeader(t.Context(), root, u.stores)
		if err == nil || !strings.Contains(err.Error(), says) || status(err) != exitNoMaster {
			t.Errorf("at %s: exit %d: %v", root, status(err), err)
		}
	}
}
