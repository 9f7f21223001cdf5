package cli

import (
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/jobs"
	"github.com/windrow-mr/windrow/plan"
)

// source is a program with jobs to submit.
type source interface {
	// describe sets the job's pipeline in the submission, from its parameters.
	describe(ctx context.Context, c *cli.Context, s *client.Submission) error
	// bundles returns the program's files for the machines of the cluster; none if
	// the workers have the program.
	bundles(ctx context.Context, cl *client.Client) ([]bundle, error)
}

// bundle is a file of a program.
type bundle struct {
	plan.Bundle
	path string
}

func (b bundle) open() (io.ReadCloser, error) { return os.Open(b.path) }

// own is this program.
type own struct{ p *Program }

func (o *own) describe(_ context.Context, c *cli.Context, s *client.Submission) error {
	i := slices.IndexFunc(o.p.Jobs, func(j *jobs.Job) bool { return j.Name() == s.Job })
	made, err := o.p.Jobs[i].Build(s.Params, nil)
	if err != nil {
		return invalidf(c, "%v", err)
	}
	s.Plan, s.Once = made.Text, made.Once
	if o.p.Library {
		s.Build = buildVersion().Version
	}
	return nil
}

func (o *own) bundles(ctx context.Context, cl *client.Client) ([]bundle, error) {
	if o.p.Library {
		return nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program's file: %w", err)
	}
	b, err := readBundle(self)
	if err != nil {
		return nil, err
	}
	return []bundle{b}, fitting(ctx, cl, []bundle{b})
}

// readBundle reads the machine, size and digest of a binary made by Go.
func readBundle(path string) (bundle, error) {
	b := bundle{path: path}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return b, client.Errorf(plan.Invalid, "%s is not a program made by Go: %v", path, err)
	}
	b.OS, b.Arch = runtime.GOOS, runtime.GOARCH
	for _, s := range info.Settings {
		switch s.Key {
		case "GOOS":
			b.OS = s.Value
		case "GOARCH":
			b.Arch = s.Value
		}
	}
	if b.OS == "linux" {
		if err := isStatic(path); err != nil {
			return b, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return b, err
	}
	defer f.Close()
	h := sha256.New()
	if b.Size, err = io.Copy(h, f); err != nil {
		return b, err
	}
	b.Digest = hex.EncodeToString(h.Sum(nil))
	return b, nil
}

// isStatic refuses a program that needs libraries. Workers can lack them, and the
// error there would be that the program, which exists, is missing.
func isStatic(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return client.Errorf(plan.Invalid, "%s: %v", path, err)
	}
	defer f.Close()
	for _, s := range f.Progs {
		if s.Type == elf.PT_INTERP {
			return client.Errorf(plan.Invalid, "%s needs libraries that workers can lack: build it with CGO_ENABLED=0", path)
		}
	}
	return nil
}

// machine returns the kind of machine, as Go names it: "linux/amd64".
func (b *bundle) machine() string { return b.OS + "/" + b.Arch }

// machines returns the kinds of the machines of a cluster's workers.
func machines(ctx context.Context, cl *client.Client) ([]string, error) {
	all, err := cl.Workers(ctx)
	if err != nil {
		return nil, err
	}
	var kinds []string
	for i := range all {
		if kind := all[i].OS + "/" + all[i].Arch; !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds, nil
}

// fitting refuses a program that no worker can run. A cluster without workers can
// get some later.
func fitting(ctx context.Context, cl *client.Client, bundles []bundle) error {
	kinds, err := machines(ctx, cl)
	if err != nil || len(kinds) == 0 {
		return err
	}
	var have []string
	for i := range bundles {
		if slices.Contains(kinds, bundles[i].machine()) {
			return nil
		}
		have = append(have, bundles[i].machine())
	}
	return client.Errorf(plan.Invalid, "the program is for %s, but the workers are %s: submit its package by its path, to build it for them",
		strings.Join(have, ", "), strings.Join(kinds, ", "))
}
