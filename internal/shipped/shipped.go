// Package shipped reads the files that are shipped with a job, where it is submitted or
// run. It holds them whole: they have at most plan.MaxFiles bytes in all.
package shipped

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/windrow-mr/windrow/jobs/pipeline"
	"github.com/windrow-mr/windrow/plan"
)

// File is a file with its bytes.
type File struct {
	plan.File
	Data []byte
}

// Read reads local files, whose paths it gets by the names for the job. They are in the
// order of their names.
func Read(paths map[string]string) ([]File, error) {
	var all []File
	var facts []plan.File
	left := int64(plan.MaxFiles)
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		data, err := read(paths[name], left)
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", name, err)
		}
		left -= int64(len(data))
		sum := sha256.Sum256(data)
		f := plan.File{Name: name, Digest: hex.EncodeToString(sum[:]), Size: int64(len(data))}
		all, facts = append(all, File{f, data}), append(facts, f)
	}
	return all, plan.CheckFiles(facts)
}

func read(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a file: a job is shipped with single files", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s: with it, the files have more than the %d bytes that are shipped with a job: make an input of it", path, plan.MaxFiles)
	}
	return data, err
}

// Facts returns the files without their bytes.
func Facts(files []File) []plan.File {
	var all []plan.File
	for i := range files {
		all = append(all, files[i].File)
	}
	return all
}

// Files returns files for tasks in this process; nil for none.
func Files(files []File) *pipeline.Files {
	if len(files) == 0 {
		return nil
	}
	var names []string
	for i := range files {
		names = append(names, files[i].Name)
	}
	return pipeline.NewFiles(names, func(_ context.Context, name string) ([]byte, error) {
		for i := range files {
			if files[i].Name == name {
				return files[i].Data, nil
			}
		}
		return nil, errors.New("it is missing")
	})
}
