package remote

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/worker/workdir"
)

// Package is the folder of a package main, and what was built of it.
type Package struct {
	folder string
	tmp    *workdir.Dir
}

// OpenPackage returns the package of a folder. The caller must close it.
func OpenPackage(folder string) (*Package, error) {
	tmp, err := workdir.New(os.TempDir(), "windrow-submit-")
	if err != nil {
		return nil, err
	}
	return &Package{folder, tmp}, nil
}

// Close removes what was built.
//
//go:noinline
func (p *Package) Close() {
	_ = p.tmp.Remove() // the next command tries again
}

// Build builds the package for a kind of machine, and returns the binary's path.
// The same source gives the same bytes.
func (p *Package) Build(ctx context.Context, goos, goarch string) (string, error) {
	out := filepath.Join(p.tmp.Path, goos+"-"+goarch)
	if _, err := os.Stat(out); err == nil {
		return out, nil // it was built before, to ask it for its jobs
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", out, ".") //nolint:gosec // it builds what the user names
	cmd.Dir = p.folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	said, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return "", client.Errorf(plan.Invalid, "submitting a package needs the go command: %v", err)
	case err != nil:
		return "", client.Errorf(plan.Invalid, "%s cannot be built for %s/%s: %v\n%s", p.folder, goos, goarch, err, bytes.TrimSpace(said))
	}
	if info, err := os.Stat(out); err != nil || info.Mode()&0o111 == 0 {
		return "", client.Errorf(plan.Invalid, "%s is not a package main: a program with jobs calls windrow.Main", p.folder)
	}
	return out, nil
}

// usual are the machines for which a package is built whatever workers there are now.
var usual = []string{"linux/amd64", "linux/arm64"}

// Bundles builds the package for the machines of the cluster. A submission with an
// idempotency key is the same one later only if its bundles are. So keyed adds the
// usual machines, which makes the bundles independent of the workers that run now.
func (p *Package) Bundles(ctx context.Context, cl *client.Client, keyed bool) ([]Bundle, error) {
	kinds, err := machines(ctx, cl)
	if err != nil {
		return nil, err
	}
	switch {
	case keyed:
		kinds = append(kinds, usual...)
	case len(kinds) == 0:
		kinds = usual[:1]
	}
	slices.Sort(kinds)
	var all []Bundle
	for _, kind := range slices.Compact(kinds) {
		goos, goarch, _ := strings.Cut(kind, "/")
		path, err := p.Build(ctx, goos, goarch)
		if err != nil {
			return nil, err
		}
		if err := checkWorks(path, p.folder); err != nil {
			return nil, err
		}
		b, err := ReadBundle(path)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}
