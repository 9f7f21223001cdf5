package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/internal/shipped"
	"github.com/windrow-mr/windrow/plan"
)

// Bundle is a file of a program.
type Bundle struct {
	plan.Bundle
	path string
}

func (b Bundle) open() (io.ReadCloser, error) { return os.Open(b.path) }

// Machine returns the kind of machine, as Go names it: "linux/amd64".
func (b *Bundle) Machine() string { return b.OS + "/" + b.Arch }

// Own returns the bundle of the program that is running.
func Own() (Bundle, error) {
	self, err := os.Executable()
	if err != nil {
		return Bundle{}, fmt.Errorf("finding this program's file: %w", err)
	}
	const running = "/proc/self/exe" // also when another file has the program's name now
	if _, err := os.Stat(running); err == nil && runtime.GOOS == "linux" {
		return readBundle(running, self)
	}
	return readBundle(self, self)
}

// ReadBundle reads the machine, size and digest of a binary made by Go.
func ReadBundle(path string) (Bundle, error) { return readBundle(path, path) }

// readBundle is ReadBundle for a file that users know by another name.
func readBundle(path, name string) (Bundle, error) {
	b := Bundle{path: path}
	f, err := os.Open(path)
	if err != nil {
		return b, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return b, err
	}
	made, err := readExecutable(f, info.Size())
	switch {
	case err != nil:
		return b, client.Errorf(plan.Invalid, "%s is not a program made by Go: %v", name, err)
	case made.os == "linux" && made.libraries:
		// Workers can lack them, and the error there would be that the program, which
		// exists, is missing.
		return b, client.Errorf(plan.Invalid, "%s needs libraries that workers can lack: build it with CGO_ENABLED=0", name)
	}
	b.OS, b.Arch = made.os, made.arch
	h := sha256.New()
	if b.Size, err = io.Copy(h, f); err != nil {
		return b, err
	}
	b.Digest = hex.EncodeToString(h.Sum(nil))
	return b, nil
}

// machines returns the kinds of the machines of a cluster's workers, in order.
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

// Fits refuses a program that no worker can run, with advice what to do. A cluster
// without workers can get some later.
func Fits(ctx context.Context, cl *client.Client, b *Bundle, advice string) error {
	kinds, err := machines(ctx, cl)
	if err != nil || len(kinds) == 0 || slices.Contains(kinds, b.Machine()) {
		return err
	}
	return client.Errorf(plan.Invalid, "the program is for %s, but the workers are %s: %s", b.Machine(), strings.Join(kinds, ", "), advice)
}

// upload stores the bundles of a program that the cluster does not have. It calls
// note before each that it sends.
func upload(ctx context.Context, cl *client.Client, bundles []Bundle, note func(*Bundle)) error {
	for i := range bundles {
		b := &bundles[i]
		there, err := cl.HasBundle(ctx, b.Digest)
		if err != nil {
			return err
		}
		if there {
			continue
		}
		note(b)
		if err := cl.UploadBundle(ctx, b.Bundle, b.open); err != nil {
			return err
		}
	}
	return nil
}

// Submit uploads the bundles of a job's program and the files that are shipped with it,
// and submits the job.
func Submit(ctx context.Context, cl *client.Client, s client.Submission, bundles []Bundle, files []shipped.File, note func(*Bundle)) (client.Submitted, error) {
	if err := upload(ctx, cl, bundles, note); err != nil {
		return client.Submitted{}, err
	}
	for i := range bundles {
		s.Bundles = append(s.Bundles, bundles[i].Bundle)
	}
	for i := range files {
		f := &files[i]
		s.Files = append(s.Files, f.File)
		if f.Size == 0 {
			continue // it is no object
		}
		there, err := cl.HasBundle(ctx, f.Digest)
		if err == nil && !there {
			err = cl.UploadBundle(ctx, plan.Bundle{Digest: f.Digest, Size: f.Size}, func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(f.Data)), nil
			})
		}
		if err != nil {
			return client.Submitted{}, err
		}
	}
	s.Expect = plan.AllExpected(s.Plan, s.Expect) // so that a master that knows none refuses them
	return cl.Submit(ctx, s)
}
