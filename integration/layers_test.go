package integration

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/windrow-mr/windrow"

// layers lists the imports that each package may have, beside the standard
// library: folders of this module, and modules of others. "x/..." means x and
// all below it. A package that is not here must not exist. For test files, only
// the bans below hold.
var layers = map[string][]string{
	".":                                {"client", "internal/cli", "internal/committed", "internal/embedded", "internal/remote", "internal/shipped", "jobs", "output", "plan", "store", "store/fault", "worker/jobproc"},
	"api":                              {},
	"bench/...":                        {"bench/..."},
	"bench/skew/skewjobs":              {".", "jobs", "jobs/sketch"},
	"bench/tables":                     {".", "jobs"},
	"attempts":                         {"output", "plan", "plan/packed", "store", "store/checksum", "github.com/vmihailenco/msgpack/v5/...", "golang.org/x/sync/errgroup"},
	"client":                           {"plan"},
	"cmd/windrow":                      {"internal/cli", "internal/daemon", "internal/look", "internal/scheduled", "jobs/library", "store", "store/azure", "store/fault", "store/gcs", "store/s3"},
	"cluster":                          {"plan/packed", "plan", "github.com/vmihailenco/msgpack/v5"},
	"cluster/auth":                     {},
	"cluster/gossip":                   {"plan/packed", "github.com/hashicorp/memberlist", "github.com/vmihailenco/msgpack/v5"},
	"docs/chain":                       {".", "jobs"},
	"docs/firstjob":                    {".", "jobs"},
	"docs/recipes":                     {},
	"integration":                      {},
	"integration/countwords":           {"github.com/klauspost/compress/zstd"},
	"integration/graphs":               {"jobs"},
	"integration/heard":                {},
	"integration/image":                {},
	"integration/image/guest":          {".", "jobs"},
	"integration/image/manifests":      {},
	"integration/latency":              {},
	"integration/records":              {"store/checksum"},
	"integration/scale":                {},
	"integration/faults":               {},
	"integration/sim":                  {},
	"integration/submits":              {".", "jobs"},
	"integration/words":                {},
	"integration/testjobs":             {".", "integration/graphs", "jobs", "jobs/formats/text", "jobs/library/sort", "store", "store/fault"},
	"internal/forecast":                {"attempts", "output", "plan", "shuffle", "worker/executor"},
	"internal/cli":                     {"plan/plural", "client", "compress", "internal/committed", "internal/embedded", "internal/remote", "internal/shipped", "jobs", "output", "plan", "plan/nearest", "store", "store/doctor", "store/fault", "worker/jobproc", "github.com/urfave/cli/v2", "golang.org/x/sync/errgroup", "golang.org/x/term"},
	"internal/look":                    {"compress", "internal/cli", "internal/committed", "output", "jobs", "jobs/formats/arrow", "jobs/formats/avro", "jobs/formats/parquet", "jobs/pipeline", "plan", "store", "worker/planner", "github.com/urfave/cli/v2"},
	"internal/scheduled":               {"internal/cli", "plan", "plan/plural", "schedule", "schedule/yaml", "github.com/urfave/cli/v2"},
	"internal/committed":               {"compress", "output", "plan", "store", "store/checksum"},
	"internal/shipped":                 {"jobs/pipeline", "plan"},
	"internal/remote":                  {"client", "cluster/auth", "internal/shipped", "master/journal", "plan", "plan/nearest", "store", "worker/workdir"},
	"internal/daemon":                  {"plan/plural", "client", "cluster", "cluster/auth", "cluster/gossip", "internal/cli", "store/meter", "master/api", "master/control", "master/journal", "store", "store/allow", "store/driver", "worker", "worker/runner", "worker/sandbox", "github.com/oklog/ulid/v2", "github.com/urfave/cli/v2", "golang.org/x/sys/unix"},
	"store/doctor":                     {"store"},
	"internal/embedded":                {"plan/plural", "attempts", "internal/forecast", "internal/shipped", "jobs", "jobs/pipeline", "master", "master/scheduler", "master/sums", "output", "plan", "shuffle", "store", "store/driver", "store/fault", "worker/executor", "worker/planner", "github.com/oklog/ulid/v2"},
	"store/meter":                      {"plan", "store", "store/driver"},
	"plan/nearest":                     {},
	"plan/plural":                      {},
	"plan/packed":                      {},
	"shuffle/pairs":                    {},
	"jobs/pipeline":                    {"shuffle/pairs", "plan"},
	"worker/planner":                   {"plan/plural", "attempts", "compress", "jobs/pipeline", "output", "plan", "shuffle", "store", "worker/executor", "worker/planner/splits", "golang.org/x/sync/errgroup"},
	"internal/reference":               {"github.com/urfave/cli/v2"},
	"internal/reference/referencetest": {"internal/reference"},
	"master/sums":                      {"attempts", "plan"},
	"jobs":                             {"plan/nearest", "shuffle/pairs", "jobs/pipeline", "jobs/codec", "jobs/internal/...", "plan"},
	"jobs/codec":                       {},
	"compress":                         {"plan", "github.com/klauspost/compress/...", "github.com/pierrec/lz4/v4"},
	"jobs/formats/arrow":               {"jobs", "github.com/google/flatbuffers/go", "github.com/klauspost/compress/...", "github.com/pierrec/lz4/v4"},
	"jobs/formats/avro":                {"jobs", "jobs/internal/window", "github.com/klauspost/compress/...", "github.com/twmb/avro"},
	"jobs/formats/csv":                 {"jobs", "jobs/codec", "jobs/internal/lines"},
	"jobs/formats/fixed":               {"jobs"},
	"jobs/formats/jsonl":               {"jobs", "jobs/internal/...", "github.com/go-json-experiment/json/..."},
	"jobs/formats/lengths":             {"jobs", "jobs/internal/window"},
	"jobs/formats/object":              {"jobs"},
	"jobs/formats/parquet":             {"jobs", "github.com/andybalholm/brotli", "github.com/klauspost/compress/...", "github.com/pierrec/lz4/v4"},
	"jobs/formats/text":                {"jobs", "jobs/internal/..."},
	"jobs/internal/encoded":            {"jobs/codec"},
	"jobs/internal/lines":              {},
	"jobs/internal/minirun":            {"shuffle/pairs", "jobs/pipeline", "jobs", "plan"},
	"jobs/internal/peers":              {},
	"jobs/internal/table":              {},
	"jobs/internal/tsv":                {"jobs/codec", "jobs/internal/lines"},
	"jobs/internal/window":             {},
	"jobs/jobstest":                    {".", "jobs/pipeline", "jobs", "output", "plan", "store"},
	"jobs/sketch":                      {"jobs", "jobs/internal/encoded", "github.com/DataDog/sketches-go/...", "github.com/axiomhq/hyperloglog", "github.com/cespare/xxhash/v2"},
	"jobs/library/...":                 {"jobs", "jobs/formats/...", "jobs/library/..."},
	"master":                           {"attempts", "master/scheduler", "master/sums", "plan", "golang.org/x/sync/errgroup"},
	"master/api":                       {"client", "plan/nearest", "compress", "output", "plan"},
	"master/api/apitest":               {"client", "plan"},
	"master/gc":                        {"attempts", "client", "master/journal", "master/view", "output", "plan", "store", "golang.org/x/sync/errgroup", "golang.org/x/sync/semaphore"},
	"master/history":                   {"plan", "plan/packed", "github.com/vmihailenco/msgpack/v5"},
	"master/members":                   {"client", "cluster", "master/scheduler", "plan"},
	"master/view":                      {"attempts", "client", "cluster", "master", "master/history", "master/members", "master/scheduler", "plan"},
	"master/control":                   {"attempts", "client", "cluster", "master", "master/gc", "master/history", "master/journal", "master/members", "master/scheduler", "master/sums", "master/view", "output", "plan", "store", "store/meter", "github.com/oklog/ulid/v2", "golang.org/x/sync/errgroup", "golang.org/x/sync/semaphore"},
	"master/journal":                   {"plan/packed", "master/scheduler", "plan", "store", "store/checksum", "github.com/vmihailenco/msgpack/v5", "golang.org/x/sync/errgroup", "golang.org/x/sys/unix", "github.com/oklog/ulid/v2"},
	"master/scheduler":                 {"plan"},
	"worker/planner/splits":            {"plan"},
	"output":                           {"plan/plural", "plan", "store", "store/checksum"},
	"plan":                             {},
	"schedule":                         {"plan", "plan/nearest"},
	"schedule/yaml":                    {"plan", "plan/nearest", "schedule", "go.yaml.in/yaml/v3"},
	"shuffle":                          {"shuffle/pairs", "plan", "shuffle/run"},
	"shuffle/run":                      {"shuffle/pairs", "plan", "store/checksum", "github.com/pierrec/lz4/v4", "github.com/google/flatbuffers/go"},
	"store":                            {"plan", "store/checksum", "store/driver", "store/file", "store/mem", "golang.org/x/sync/errgroup"},
	"store/allow":                      {"plan", "store", "store/driver"},
	"store/checksum":                   {"github.com/minio/crc64nvme"},
	"store/driver":                     {"plan", "store/checksum"},
	"store/file":                       {"plan", "store/driver"},
	"store/mem":                        {"plan", "store/checksum", "store/driver"},
	"store/fault":                      {"plan", "plan/nearest", "store", "store/driver"},
	"store/fault/faulttest":            {"plan", "store/driver"},
	"store/azure":                      {"plan", "store", "store/driver", "store/internal/drive", "gocloud.dev/...", "github.com/Azure/..."},
	"store/azure/azuretest":            {"store/internal/testserver", "github.com/Azure/..."},
	"store/gcs":                        {"plan", "store", "store/checksum", "store/driver", "store/internal/drive", "gocloud.dev/gcp", "golang.org/x/oauth2/...", "google.golang.org/api/..."},
	"store/gcs/gcstest":                {"store/internal/testserver"},
	"store/internal/drive":             {"plan", "plan/nearest", "store/driver"},
	"store/internal/testserver":        {"plan", "store"},
	"store/s3":                         {"plan", "store", "store/checksum", "store/driver", "store/internal/drive", "gocloud.dev/...", "github.com/aws/..."},
	"store/s3/s3test":                  {"store/internal/testserver", "github.com/aws/..."},
	"store/s3/s3test/...":              {"store/s3/s3test"},
	"store/relay":                      {"plan", "store", "store/checksum", "store/driver", "golang.org/x/sync/semaphore"},
	"store/storetest":                  {"plan", "store", "store/checksum"},
	"store/storetest/...":              {"store/azure/azuretest", "store/gcs/gcstest", "store/s3/s3test"},
	"worker":                           {"cluster", "plan"},
	"worker/executor":                  {"attempts", "compress", "jobs", "jobs/pipeline", "output", "plan", "shuffle", "shuffle/pairs", "store", "store/checksum", "store/driver"},
	"worker/jobproc":                   {"plan/nearest", "plan/packed", "jobs/pipeline", "jobs", "compress", "plan", "shuffle", "store", "store/relay", "worker/executor", "github.com/vmihailenco/msgpack/v5"},
	"worker/runner":                    {"plan/plural", "attempts", "cluster", "plan", "store", "store/meter", "store/relay", "worker", "worker/executor", "worker/jobproc", "worker/planner", "worker/sandbox", "worker/workdir"},
	"worker/sandbox":                   {"golang.org/x/sys/unix"},
	"worker/workdir":                   {},
}

// bans are imports that only some packages may have, tests included.
var bans = []struct {
	imported string
	by       []string
}{
	{"gocloud.dev/...", []string{"store/..."}},
	{"cloud.google.com/...", nil},
	{"google.golang.org/api/...", []string{"store/gcs"}},
	{"github.com/Azure/...", []string{"store/azure/..."}},
	{"github.com/aws/...", []string{"store/s3/..."}},
	{"github.com/hashicorp/memberlist", []string{"cluster/gossip", "integration/faults"}},
	{"github.com/apache/arrow/...", []string{"shuffle/...", "jobs/formats/arrow", "jobs/formats/parquet"}},
	{"github.com/DataDog/...", []string{"jobs/sketch"}},
	{"github.com/go-json-experiment/...", []string{"jobs/formats/jsonl"}},
	{"github.com/parquet-go/...", []string{"jobs/formats/parquet"}},
	{"github.com/andybalholm/...", []string{"jobs/formats/parquet"}},
	{"github.com/axiomhq/...", []string{"jobs/sketch"}},
	{"github.com/twmb/avro/...", []string{"jobs/formats/avro"}},
	{"go.yaml.in/...", []string{"schedule/yaml"}},
	{"testing", []string{"bench/measure/measuretest", "internal/reference/referencetest", "jobs/jobstest", "store/storetest", "store/azure/azuretest", "store/gcs/gcstest", "store/internal/testserver", "store/s3/s3test"}},
}

// impure are the imports that a pure package must not have.
var impure = []string{"context", "crypto/rand", "log", "log/slog", "math/rand", "math/rand/v2", "net", "net/http", "os", "os/exec", "sync", "sync/atomic", "syscall", "time"}

// pure packages decide, and so have no clock, no I/O and no randomness.
var pure = []string{"internal/forecast", "master/scheduler", "plan/nearest", "shuffle/pairs", "worker/planner/splits"}

// clockless packages are given times as arguments. They may name types of package
// time, and must not read or wait for a clock.
var clockless = []string{"master/gc", "master/members", "master/sums", "master/view", "plan", "schedule"}

// clocks are the functions of package time that read or wait for a clock.
var clocks = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

func matches(pattern, name string) bool {
	prefix, below := strings.CutSuffix(pattern, "/...")
	return name == prefix || below && strings.HasPrefix(name, prefix+"/")
}

func anyMatches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, name) })
}

// rowOf returns the row of the table of layers that holds for a package.
func rowOf(dir string) (row string, known bool) {
	for pattern := range layers {
		if matches(pattern, dir) && (!known || pattern == dir) {
			row, known = pattern, true
		}
	}
	return row, known
}

// checkUsed holds the table of layers: it allows no import that no file has.
func checkUsed(t *testing.T, used map[string][]string) {
	t.Helper()
	for row, allowed := range layers {
		for _, pattern := range allowed {
			if !slices.ContainsFunc(used[row], func(name string) bool { return matches(pattern, name) }) {
				t.Errorf("the table of layers allows %s to import %s, and no file does", row, pattern)
			}
		}
	}
}

// TestLayers verifies the imports of every package. It parses the files itself:
// go test would cache a result of the go command although they change.
func TestLayers(t *testing.T) {
	t.Parallel()
	packages := 0
	seen := map[string]bool{}
	arrows, used := map[arrow]string{}, map[string][]string{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 2 && d.Name()[0] == '.') {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		rel, err := filepath.Rel("..", file)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(rel))
		if !seen[dir] {
			seen[dir] = true
			packages++
		}
		checkImports(t, file, dir, arrows, used)
		if slices.Contains(clockless, dir) && !strings.HasSuffix(file, "_test.go") {
			checkClock(t, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	checkArrows(t, arrows)
	checkUsed(t, used)
	if packages < 25 {
		t.Errorf("only %d packages were found", packages)
	}
}

// arrow is an import of a package in one top-level folder by one in another.
type arrow struct{ from, to string }

// room returns the top-level folder of a package.
func room(dir string) string {
	folder, _, _ := strings.Cut(dir, "/")
	return folder
}

// checkArrows holds the order of the top-level folders: no two import each other,
// except for the root package and jobs, whose package jobstest runs the engine.
// master and worker do not import each other in either direction. internal holds
// programs, which the root package, commands and other programs import.
func checkArrows(t *testing.T, arrows map[arrow]string) {
	t.Helper()
	for a, file := range arrows {
		back, mutual := arrows[arrow{a.to, a.from}]
		rootAndJobs := a.from == "." && a.to == "jobs" || a.from == "jobs" && a.to == "."
		if mutual && !rootAndJobs {
			t.Errorf("folders %s and %s import each other: %s and %s", a.from, a.to, file, back)
		}
		if a.from == "master" && a.to == "worker" || a.from == "worker" && a.to == "master" {
			t.Errorf("%s imports %s: neither master nor worker imports the other", file, a.to)
		}
		if a.to == "internal" && a.from != "." && a.from != "cmd" {
			t.Errorf("%s imports internal, which holds programs: only the root package and cmd may", file)
		}
	}
}

// checkClock holds a package that is given times as arguments.
func checkClock(t *testing.T, file string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Error(err)
		return
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clocks, s.Sel.Name) {
			t.Errorf("%s calls time.%s: the package is given times as arguments", file, s.Sel.Name)
		}
		return true
	})
}

func checkImports(t *testing.T, file, dir string, arrows map[arrow]string, used map[string][]string) {
	t.Helper()
	row, known := rowOf(dir)
	allowed := layers[row]
	if !known {
		t.Errorf("package %s is not in the table of layers", dir)
		return
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	isTest := strings.HasSuffix(file, "_test.go")
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, ban := range bans {
			if matches(ban.imported, name) && !anyMatches(ban.by, dir) && (name != "testing" || !isTest) {
				t.Errorf("%s imports %s, which only %v may", file, name, ban.by)
			}
		}
		if isTest {
			continue
		}
		if slices.Contains(impure, name) && slices.Contains(pure, dir) {
			t.Errorf("%s imports %s: the package is pure", file, name)
		}
		own, isOwn := strings.CutPrefix(name+"/", module+"/")
		own = strings.TrimSuffix(own, "/")
		if isOwn && own == "" {
			own = "."
		}
		imported := name
		if isOwn {
			imported = own
		}
		used[row] = append(used[row], imported)
		if isOwn && room(own) != room(dir) {
			arrows[arrow{room(dir), room(own)}] = file
		}
		switch {
		case isOwn && anyMatches(allowed, own):
		case !isOwn && (!strings.Contains(strings.Split(name, "/")[0], ".") || anyMatches(allowed, name)):
		default:
			t.Errorf("%s imports %s, which its layer does not allow", file, name)
		}
	}
}

// readmeJob returns the program that README.md shows.
func readmeJob(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```go\n")
	program, _, end := strings.Cut(rest, "```")
	if !ok || !end {
		t.Fatal("README.md shows no program")
	}
	return program
}

// builtJob builds a program in a module of its own that requires this one, as its users do,
// and returns the folder with the binary hello.
func builtJob(t *testing.T, program string) (dir string, size int64) {
	t.Helper()
	dir = t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{
		"main.go": program,
		"go.mod":  "module example.com/hello\n\ngo 1.26\n\nrequire " + module + " v0.0.0\n\nreplace " + module + " => " + root + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, requires, _ := strings.Cut(string(mod), "\nrequire")
	appendTo(t, filepath.Join(dir, "go.mod"), "\nrequire"+requires)
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", "hello", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(filepath.Join(dir, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, info.Size()
}

// TestJobBinary verifies that a user can build the program of README.md, that
// it runs, and that it links no heavy packages.
func TestJobBinary(t *testing.T) {
	t.Parallel()
	dir, size := builtJob(t, readmeJob(t))
	if limit := int64(20_000_000); size > limit {
		t.Errorf("the binary has %d bytes, the limit is %d", size, limit)
	}
	deps := exec.CommandContext(t.Context(), "go", "list", "-mod=mod", "-deps", ".")
	deps.Dir = dir
	out, err := deps.Output()
	if err != nil {
		t.Fatal(err)
	}
	for s := lines(string(out)); s.Scan(); {
		for _, heavy := range []string{"gocloud.dev", "github.com/aws", "cloud.google.com", "google.golang.org", "golang.org/x/oauth2", "github.com/Azure", "github.com/hashicorp/memberlist", "github.com/apache/arrow", "github.com/parquet-go", "github.com/andybalholm", module + "/jobs/formats/parquet", module + "/jobs/formats/arrow"} {
			if strings.HasPrefix(s.Text(), heavy) {
				t.Errorf("a job with text input carries %s", s.Text())
			}
		}
	}
	in := file(t, "in.txt", "to be or\nnot to be\n")
	outDir := filepath.Join(t.TempDir(), "out")
	must(t, filepath.Join(dir, "hello"), "run", "hello", "--input", in, "--out", outDir)
	if got := sorted(must(t, filepath.Join(dir, "hello"), "cat", outDir)); got != "be\t2\nnot\t1\nor\t1\nto\t2\n" {
		t.Errorf("counted %q", got)
	}
}

// TestColumnsJobBinary verifies that a program which reads and writes Parquet and Arrow is at
// most 5 MB larger than the limit of one that does not, and has no library of either.
func TestColumnsJobBinary(t *testing.T) {
	t.Parallel()
	dir, size := builtJob(t, `package main

import (
	"github.com/windrow-mr/windrow"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/jobs/formats/arrow"
	"github.com/windrow-mr/windrow/jobs/formats/parquet"
)

type trip struct {
	City string
	Fare float64
}

func main() {
	windrow.Main(jobs.Define("trips", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, parquet.Records[trip]{Where: parquet.AtLeast("Fare", 10)}).Write(arrow.Records[trip]{})
		return nil
	}), jobs.Define("back", struct{}{}, func(p *jobs.Pipeline, _ struct{}) error {
		jobs.Read(p, arrow.Records[trip]{}).Write(parquet.Records[trip]{})
		return nil
	}))
}
`)
	if limit := int64(20_000_000 + 5_000_000); size > limit {
		t.Errorf("the binary has %d bytes, the limit is %d", size, limit)
	}
	t.Logf("%d bytes", size)
	deps := exec.CommandContext(t.Context(), "go", "list", "-mod=mod", "-deps", ".")
	deps.Dir = dir
	out, err := deps.Output()
	if err != nil {
		t.Fatal(err)
	}
	for s := lines(string(out)); s.Scan(); {
		for _, heavy := range []string{"github.com/apache/arrow", "github.com/parquet-go"} {
			if strings.HasPrefix(s.Text(), heavy) {
				t.Errorf("the job carries %s", s.Text())
			}
		}
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
