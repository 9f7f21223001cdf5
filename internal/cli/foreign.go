package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/windrow-mr/windrow/plan"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/remote"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/plan/nearest"
)

// foreign is another program, named by its file or by the folder of its package.
type foreign struct {
	binary string          // for this machine
	pkg    string          // folder of the package; "": only the binary is known
	built  *remote.Package // nil: only the binary is known
}

// openForeign returns the program at a path.
func openForeign(ctx context.Context, c *cli.Context, p *Program, path string) (*foreign, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, client.Errorf(plan.NotFound, "there is no program and no package at %s", path)
	case err != nil:
		return nil, err
	case info.Mode().IsRegular() && strings.HasSuffix(path, ".go"):
		return nil, invalidf(c, "%s is a file of a package: give its folder, %s", path, filepath.Dir(path))
	case info.Mode().IsRegular():
		abs, err := filepath.Abs(path)
		if err == nil {
			err = remote.CheckAnswers(abs, path)
		}
		return &foreign{binary: abs}, err
	case !info.IsDir():
		return nil, invalidf(c, "%s is neither a program nor the folder of a package", path)
	}
	f := &foreign{pkg: path}
	if f.built, err = remote.OpenPackage(path); err != nil {
		return nil, err
	}
	if f.binary, err = f.built.Build(ctx, runtime.GOOS, runtime.GOARCH); err != nil {
		return f, err
	}
	if err := remote.CheckAnswers(f.binary, path); err != nil {
		return f, err
	}
	fmt.Fprintf(p.Stderr, "built %s\n", path)
	return f, nil
}

// close removes what was built.
//
//go:noinline
func (f *foreign) close() {
	if f.built != nil {
		f.built.Close()
	}
}

// ask runs the program and decodes the JSON that it prints.
func (f *foreign) ask(ctx context.Context, document any, args ...string) error {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, f.binary, args...) //nolint:gosec // it runs what the user submits
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		// The program names itself by its file, which submit may have built.
		said := strings.TrimSpace(strings.TrimPrefix(errs.String(), filepath.Base(f.binary)+": "))
		if said == "" {
			said = "asked for its jobs, it ended with " + err.Error()
		}
		return client.Errorf(plan.Invalid, "%s: %s", f.name(), said)
	}
	if err := json.Unmarshal(out.Bytes(), document); err != nil {
		return client.Errorf(plan.Invalid, "%s does not answer with its jobs, as a program made with windrow.Main does: it printed no JSON: %v", f.name(), err)
	}
	return nil
}

//go:noinline
func (f *foreign) name() string { return orElse(f.pkg, f.binary) }

// jobs returns the jobs of the program.
//
//go:noinline
func (f *foreign) jobs(ctx context.Context) (all []jobReport, err error) {
	return all, f.ask(ctx, &all, "jobs", "-o", "json")
}

// choose returns the job that the words after the path name, or the only job, and
// the remaining words.
func (f *foreign) choose(c *cli.Context, all []jobReport, words []string) (job jobReport, rest []string, err error) {
	name, rest := "", words
	if len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		name, rest = words[0], words[1:]
	} else if len(all) == 1 {
		name = all[0].Name
	}
	var names []string
	for i := range all {
		if all[i].Name == name {
			return all[i], rest, nil
		}
		names = append(names, all[i].Name)
	}
	switch near := nearest.Name(name, names); {
	case name == "":
		return job, nil, invalidf(c, "%s has %s: name one of them after its path: %s", f.name(), count(int64(len(names)), "job"), strings.Join(names, ", "))
	case near != "":
		return job, nil, invalidf(c, "%s has no job %q; did you mean %q?", f.name(), name, near)
	default:
		return job, nil, invalidf(c, "%s has no job %q; there are %s", f.name(), name, strings.Join(names, ", "))
	}
}

func paramsOf(r jobReport) []jobs.Param {
	list := make([]jobs.Param, len(r.Params))
	for i, p := range r.Params {
		list[i] = jobs.Param{Name: p.Name, Type: p.Type, Help: p.Help, Required: p.Required, Default: p.Default, Switch: p.Switch}
	}
	return list
}

func (f *foreign) describe(ctx context.Context, c *cli.Context, s *client.Submission) error {
	args := []string{"describe"}
	for name, value := range s.Params {
		args = append(args, "--param", name+"="+value)
	}
	var d description
	if err := f.ask(ctx, &d, append(args, s.Job)...); err != nil {
		return argumentIf(c, err)
	}
	s.Plan, s.Once = d.Plan, d.Once
	return nil
}

func (f *foreign) bundles(ctx context.Context, cl *client.Client, keyed bool) ([]remote.Bundle, error) {
	if f.built != nil {
		return f.built.Bundles(ctx, cl, keyed)
	}
	b, err := remote.ReadBundle(f.binary)
	if err != nil {
		return nil, err
	}
	return []remote.Bundle{b}, remote.Fits(ctx, cl, &b, byPath)
}
