//go:build image

package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// from finds the image that the Dockerfile builds with: Go's, of a release of
// Debian.
var from = regexp.MustCompile(`(?m)^FROM (?:--platform=\S+ )?(golang:(\d+\.\d+)-(\w+)) AS build$`)

// provideBase gets the image that the Dockerfile builds with from the registry.
// If none answers, it makes one of the same name from Debian's base and this
// machine's Go. The Dockerfile is the real one.
func provideBase(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		return err
	}
	found := from.FindStringSubmatch(string(text))
	if found == nil {
		return fmt.Errorf("the Dockerfile has no line like %s", from)
	}
	image, version, release := found[1], found[2], found[3]
	pull, err := dockerTo(ctx, "pull", "--quiet", image)
	if err == nil {
		return nil
	}
	fmt.Fprintf(os.Stderr, "no registry has %s, it is made here: %v %s\n", image, err, pull)
	if have := strings.TrimPrefix(runtime.Version(), "go"); have != version && !strings.HasPrefix(have, version+".") {
		return fmt.Errorf("%s cannot be made from Go %s", image, have)
	}
	root, err := bootstrap(ctx, release)
	if err != nil {
		return err
	}
	return addGo(ctx, root, image)
}

// bootstrap makes a Debian with the parts of the image golang that are needed
// here beside Go. It takes a minute, and is kept.
func bootstrap(ctx context.Context, release string) (dir string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	tools := filepath.Join(cache, "windrow", "tools")
	if dir = filepath.Join(tools, "debian-"+release); exists(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(tools, 0o755); err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(tools, "debian-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "debootstrap", "--variant=minbase", "--include=ca-certificates,git", release, made)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("debootstrap: %w (apt-get install debootstrap installs it)\n%s", err, out)
	}
	return dir, errors.Join(os.Chmod(made, 0o755), os.Rename(made, dir))
}

// addGo makes an image of a Debian, of this machine's Go, where golang has it,
// and of the authorities that this machine trusts: modules may pass a proxy.
func addGo(ctx context.Context, root, image string) error {
	const debian = "debian"
	err := pipe(exec.CommandContext(ctx, "tar", "-c", "-C", root, "."), dockerCommand(ctx, "import", "-", debian))
	if err != nil {
		return fmt.Errorf("import %s: %w", root, err)
	}
	goroot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	id, err := dockerTo(ctx, "create", debian, "true")
	if err != nil {
		return err
	}
	id = strings.TrimSpace(id)
	steps := [][]string{{"cp", strings.TrimSpace(string(goroot)), id + ":/usr/local/go"}}
	if authorities := "/etc/ssl/certs/ca-certificates.crt"; exists(authorities) {
		steps = append(steps, []string{"cp", "--follow-link", authorities, id + ":" + authorities})
	}
	steps = append(steps, []string{
		"commit", "-c", "ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"-c", "ENV GOPATH=/go", "-c", "ENV GOTOOLCHAIN=local", id, image,
	}, []string{"rm", id})
	for _, step := range steps {
		if _, err := dockerTo(ctx, step...); err != nil {
			return err
		}
	}
	return nil
}
