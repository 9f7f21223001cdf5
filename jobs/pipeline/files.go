package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/windrow-mr/windrow/plan"
)

// Files are the files that were shipped with a job. A process reads each once. The nil
// Files are none. Goroutines may share them.
type Files struct {
	names []string
	read  func(ctx context.Context, name string) ([]byte, error)

	mu   sync.Mutex
	held map[string][]byte
}

// NewFiles returns files that read reads by their names.
func NewFiles(names []string, read func(ctx context.Context, name string) ([]byte, error)) *Files {
	return &Files{names: names, read: read, held: make(map[string][]byte)}
}

// Get returns the bytes of a file, which the caller must not change.
func (f *Files) Get(ctx context.Context, name string) ([]byte, error) {
	if f == nil || len(f.names) == 0 {
		return nil, notShipped(fmt.Sprintf("there is no file %q: no files were shipped with the job; name it with --file %[1]s=PATH", name))
	}
	if !slices.Contains(f.names, name) {
		return nil, notShipped(fmt.Sprintf("there is no file %q: the files that were shipped with the job are %s", name, strings.Join(f.names, ", ")))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if b, ok := f.held[name]; ok {
		return b, nil
	}
	b, err := f.read(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read the file %q that was shipped with the job: %w", name, err)
	}
	b = slices.Clip(b)
	f.held[name] = b
	return b, nil
}

// notShipped is the error of a name that no file has. It is not about a record: all
// records have it.
type notShipped string

// Error returns the text.
func (e notShipped) Error() string { return string(e) }

// FailureKind returns NotFound.
func (notShipped) FailureKind() plan.Kind { return plan.NotFound }
