package runner

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/store"
)

// bundles keeps programs, and files that are shipped with jobs, in a directory, by their digest, up to a number of
// bytes, or as many as the disk has room for. It checks a program before its
// first use here, and fetches it if it is missing or damaged.
type bundles struct {
	root  *store.Root
	dir   string
	limit int64
	log   *slog.Logger

	mu    sync.Mutex
	known map[string]*program // by digest
	clock int64
}

// program is a program that is there, or on its way.
type program struct {
	digest string
	size   int64
	ready  chan struct{} // closed with err
	err    error
	users  int
	used   int64 // when it was used last, by the clock of bundles
}

const (
	partial = "fetch-" // begins the names of files that are being fetched
	// abandoned is the age from which such a file belongs to no fetch.
	abandoned = 2 * time.Hour
	// fetchTries is how often a program is fetched until it has its digest.
	fetchTries = 2
	// maxBundle bounds a program, in bytes.
	maxBundle = 4 << 30
)

// openBundles opens the directory, and makes it if it is missing. No other user
// may write to it.
func openBundles(root *store.Root, dir string, limit int64, log *slog.Logger) (*bundles, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for programs of jobs: %w; choose another by --cache", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if info.Mode().Perm()&0o022 != 0 || ok && int(owner.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("%s: others may write to this directory, and programs that are kept in it are executed: choose another by --cache, or make it yours alone (chown, chmod 700)", dir)
	}
	b := &bundles{root: root, dir: dir, limit: limit, log: log, known: make(map[string]*program)}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), partial) {
			if info, err := f.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
				_ = os.Remove(filepath.Join(dir, f.Name())) // another worker may have done so
			}
		}
	}
	return b, nil
}

func (b *bundles) path(digest string) string { return filepath.Join(b.dir, digest) }

// get returns the path of a program, which stays until release.
func (b *bundles) get(ctx context.Context, want plan.Bundle) (path string, release func(), err error) {
	if err := checkBundle(want); err != nil {
		return "", nil, err
	}
	for {
		b.mu.Lock()
		p := b.known[want.Digest]
		mine := p == nil
		if mine {
			p = &program{digest: want.Digest, size: want.Size, ready: make(chan struct{})}
			b.known[want.Digest] = p
		}
		p.users++
		b.mu.Unlock()
		if mine {
			p.err = b.provide(ctx, want)
			b.settle(p)
		}
		select {
		case <-p.ready:
		case <-ctx.Done():
			b.release(p)
			return "", nil, context.Cause(ctx)
		}
		if p.err == nil && b.there(p) {
			return b.path(p.digest), func() { b.release(p) }, nil
		}
		b.release(p)
		// That the attempt which fetched it was stopped does not concern the
		// others.
		if p.err != nil && (mine || ctx.Err() != nil || plan.KindOf(p.err) != plan.Interrupted) {
			return "", nil, p.err
		}
	}
}

// there reports whether a program that was there still is: another process that
// shares the directory may have removed it.
func (b *bundles) there(p *program) bool {
	if _, err := os.Stat(b.path(p.digest)); !errors.Is(err, fs.ErrNotExist) {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.known[p.digest] == p {
		delete(b.known, p.digest)
	}
	return false
}

// settle gives the result of a program's fetch to all calls that wait for it.
func (b *bundles) settle(p *program) {
	b.mu.Lock()
	if p.err != nil {
		delete(b.known, p.digest)
	}
	close(p.ready)
	b.mu.Unlock()
}

func (b *bundles) release(p *program) {
	b.mu.Lock()
	p.users--
	b.clock++
	p.used = b.clock
	b.mu.Unlock()
}

// checkBundle refuses bundles that no submission makes: the digest becomes a
// name.
func checkBundle(w plan.Bundle) error {
	raw, err := hex.DecodeString(w.Digest)
	if err != nil || len(raw) != sha256.Size || strings.ToLower(w.Digest) != w.Digest {
		return final("the job names %s by %q, which is not a SHA-256 in hexadecimal", itsNoun(w), w.Digest)
	}
	if w.Size <= 0 || w.Size > maxBundle {
		return final("the job says that %s has %d bytes, and it may have 1 to %d", itsNoun(w), w.Size, int64(maxBundle))
	}
	return nil
}

// noun names what a bundle is: only programs are for a kind of machine.
func noun(w plan.Bundle) string {
	if w.OS == "" {
		return "a file"
	}
	return "the program"
}

func itsNoun(w plan.Bundle) string {
	if w.OS == "" {
		return "a file"
	}
	return "its program"
}

// provide puts a program into the directory, and checks it.
func (b *bundles) provide(ctx context.Context, want plan.Bundle) error {
	path := b.path(want.Digest)
	switch got, size, err := sumFile(path); {
	case err == nil && got == want.Digest && size == want.Size:
		return os.Chmod(path, 0o700) //nolint:gosec // it is a program, of this user
	case err == nil:
		b.log.Warn("a program in the cache is damaged; it is fetched again", "file", path)
	case !errors.Is(err, fs.ErrNotExist):
		return unfit("check the program in the cache: %w; let the worker keep programs elsewhere by --cache", err)
	}
	if err := b.makeRoom(want.Size); err != nil {
		return err
	}
	var err error
	for try := 0; try < fetchTries; {
		var damaged bool
		damaged, err = b.fetch(ctx, want)
		switch {
		case full(err) && b.evict():
			b.log.Info("there is no room for a program of a job; an unused one was removed", "directory", b.dir, "program", want.Digest, "error", err)
		case damaged:
			try++
			b.log.Warn("a program arrived damaged", "object", b.root.Name(want.Key()), "error", err)
		default:
			return err
		}
	}
	return err
}

// full reports whether an error says that the disk has no room. The disk may
// have less than the limit.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// local reports whether an error is of the directory, and not of the store.
func local(err error) bool {
	return full(err) || errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EIO)
}

// fetch fetches a program from the store. The program gets its name when it is
// found to be right. damaged says that the bytes that came are not those of the
// digest.
func (b *bundles) fetch(ctx context.Context, want plan.Bundle) (damaged bool, err error) {
	key := want.Key()
	h, err := b.root.OpenObject(ctx, key, "")
	if plan.KindOf(err) == plan.NotFound {
		return false, final("%s of the job is gone: %s is missing; submit the job again", noun(want), b.root.Name(key))
	}
	if err != nil {
		return false, err
	}
	defer h.Close()
	if h.Size() != want.Size {
		return true, b.swapped(want, fmt.Sprintf("it has %d bytes, not %d", h.Size(), want.Size))
	}
	f, err := os.CreateTemp(b.dir, partial)
	if err != nil {
		return false, unfit("keep %s of the job: %w", noun(want), b.advise(err))
	}
	defer os.Remove(f.Name()) // once it has its own name, it no longer has this one
	stream := h.Stream(ctx, 0, -1)
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), stream)
	err = errors.Join(err, stream.Close())
	if got := hex.EncodeToString(sum.Sum(nil)); err == nil && got != want.Digest {
		_ = f.Close()
		return true, b.swapped(want, "its bytes have the SHA-256 "+got)
	}
	if err == nil {
		err = errors.Join(f.Chmod(0o700), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		err = fmt.Errorf("fetch %s of the job, %s: %w", noun(want), b.root.Name(key), b.advise(err))
		if local(err) {
			err = &unfitError{err}
		}
		return false, err
	}
	return false, os.Rename(f.Name(), b.path(want.Digest))
}

// advise adds advice to an error of the directory, where there is some.
func (b *bundles) advise(err error) error {
	if full(err) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%w: make room in %s, or let the worker keep programs elsewhere by --cache", err, b.dir)
	}
	return err
}

func (b *bundles) swapped(want plan.Bundle, how string) error {
	return fmt.Errorf("%s of the job is damaged, or was replaced by another: %s: %s; remove the object and submit the job again", noun(want), b.root.Name(want.Key()), how)
}

// makeRoom removes unused programs, the least recently used first, until size
// more bytes are within the limit.
func (b *bundles) makeRoom(size int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, total, err := b.idle()
	if err != nil {
		return err
	}
	for _, c := range all {
		if total+size <= b.limit {
			break
		}
		if err := b.remove(c.name); err != nil {
			return err
		}
		total -= c.size
	}
	return nil
}

// evict removes the least recently used of the unused programs. It returns
// false if there is none.
func (b *bundles) evict() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	all, _, err := b.idle()
	if err == nil && len(all) > 0 {
		err = b.remove(all[0].name)
	}
	if err != nil {
		b.log.Warn("no program can be removed from a full disk", "error", err)
	}
	return err == nil && len(all) > 0
}

// cached is a program in the directory.
type cached struct {
	name string
	size int64
	used int64     // when, by the clock of bundles; 0 for one that this process has not used
	at   time.Time // when it was written
}

// idle returns the unused programs, the least recently used first, and how many
// bytes all programs have. The caller holds b.mu.
func (b *bundles) idle() (all []cached, total int64, err error) {
	files, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, 0, unfit("read the cache of programs: %w", err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() || strings.HasPrefix(f.Name(), partial) {
			continue
		}
		total += info.Size()
		c := cached{name: f.Name(), size: info.Size(), at: info.ModTime()}
		if p := b.known[f.Name()]; p != nil {
			if p.users > 0 {
				continue
			}
			c.used = p.used
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(x, y cached) int { return cmp.Or(cmp.Compare(x.used, y.used), x.at.Compare(y.at)) })
	return all, total, nil
}

// remove removes an unused program. The caller holds b.mu.
func (b *bundles) remove(name string) error {
	if err := os.Remove(b.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unfit("make room in the cache of programs: %w", err)
	}
	delete(b.known, name)
	return nil
}

// sumFile returns SHA-256 and size of a file.
func sumFile(path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	sum := sha256.New()
	size, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), size, err
}
