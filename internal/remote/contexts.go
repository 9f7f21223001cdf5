package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/windrow-mr/windrow/client"
	"github.com/windrow-mr/windrow/plan"
	"github.com/windrow-mr/windrow/plan/nearest"
)

// Contexts are a user's names of clusters, in the form that is stored.
type Contexts struct {
	Version  int               `json:"version"` // 1
	Current  string            `json:"current,omitempty"`
	Contexts map[string]Target `json:"contexts"`
}

func (u *User) contextFile() (string, error) {
	if u.ConfigDir != "" {
		return filepath.Join(u.ConfigDir, "config.json"), nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "windrow", "config.json"), nil
}

// ReadContexts returns the user's contexts. There are none without a file, or
// without a place for one.
func (u *User) ReadContexts() (Contexts, error) {
	all := Contexts{Version: 1, Contexts: map[string]Target{}}
	file, err := u.contextFile()
	if err != nil {
		return all, nil //nolint:nilerr // a process without a home has no contexts
	}
	b, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return all, nil
	case err != nil:
		return all, fmt.Errorf("contexts: %w", err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return all, fmt.Errorf("contexts: %s is damaged: %w; repair it, or remove it and set the contexts again", file, err)
	}
	if all.Version != 1 {
		return all, fmt.Errorf("contexts: %s has version %d, but this program knows only version 1", file, all.Version)
	}
	if all.Contexts == nil {
		all.Contexts = map[string]Target{}
	}
	return all, nil
}

// WriteContexts saves the user's contexts.
func (u *User) WriteContexts(all Contexts) error {
	file, err := u.contextFile()
	if err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "config-*.tmp")
	if err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	_, err = tmp.Write(append(b, '\n'))
	err = errors.Join(err, tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("contexts: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}

// Get returns a context by its name. lister is the program that lists the contexts.
func (all *Contexts) Get(name, lister string) (Target, error) {
	t, ok := all.Contexts[name]
	if ok {
		return t, nil
	}
	names := slices.Sorted(maps.Keys(all.Contexts))
	if near := nearest.Name(name, names); near != "" {
		return t, client.Errorf(plan.Invalid, "there is no context %q; did you mean %q?", name, near)
	}
	return t, client.Errorf(plan.Invalid, "there is no context %q; '%s context ls' lists them", name, lister)
}
