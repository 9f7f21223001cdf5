package sandbox

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config says which program to start, and what it may use.
type Config struct {
	// Path is the program, absolute. Args follow its name.
	Path string
	Args []string
	// Inherit are the names of variables that the process gets from the
	// worker's environment, where they are set. Names that carry credentials
	// are refused, see Validate.
	Inherit []string
	// Env are further variables, as NAME=value. They override inherited ones.
	Env []string
	// Dir is the working directory. It is required: a job's files must not go
	// to the worker's own.
	Dir string
	// Files become the descriptors 3, 4, … of the process. The caller keeps
	// them and closes them after Start.
	Files []*os.File
	// Memory bounds the resident bytes of the process and all that it starts.
	// 0: no bound.
	Memory int64
	// Cgroup is a control group of version 2 below which the process gets its
	// own, with the limits for which there are controllers; see DelegatedCgroup.
	// "": none.
	Cgroup string
	// Processes bounds how many processes and threads there may be at once, where
	// there is a Cgroup with a controller for that. 0: 4,096.
	Processes int
	// OpenFiles bounds the descriptors of one process. 0: 4,096.
	OpenFiles uint64
	// FileSize bounds the files that the process itself writes. 0: 16 GiB.
	FileSize uint64
	// NoProgress is how long the process may run without a call of Progress. 0:
	// forever.
	NoProgress time.Duration
	// Grace is how long a process may take to end when it is asked to, before
	// it is killed. 0: 5 s.
	Grace time.Duration
	// KeepOutput is how many bytes to keep of the beginning of each of the two
	// outputs, and of its end. 0: 64 KiB.
	KeepOutput int
	// Stdout and Stderr receive all output as it comes, beside what is kept,
	// each from a goroutine of its own. While they are slow the process waits;
	// their errors are ignored. Nil: no receiver.
	Stdout, Stderr io.Writer
	// Log receives what the sandbox does, and the lines of outputs without a
	// receiver, as long as their beginning is kept. Nil: no log.
	Log *slog.Logger
}

// credentialed are prefixes of variables that carry credentials of the stores.
var credentialed = [...]string{"AWS_", "GOOGLE_", "AZURE_", "GCS_", "WINDROW_"}

// Validate returns an error that names the first field with a bad value.
func (c *Config) Validate() error {
	switch {
	case !filepath.IsAbs(c.Path):
		return errors.New("sandbox: Path must be absolute: " + c.Path)
	case !filepath.IsAbs(c.Dir):
		return errors.New("sandbox: Dir must be absolute: " + c.Dir)
	case c.Memory < 0, c.Processes < 0, c.NoProgress < 0, c.Grace < 0, c.KeepOutput < 0:
		return errors.New("sandbox: a limit is negative")
	}
	for _, name := range c.Inherit {
		for _, p := range credentialed {
			if strings.HasPrefix(strings.ToUpper(name), p) {
				return errors.New("sandbox: " + name + " may carry credentials: job processes do not inherit it; pass what is needed by Env")
			}
		}
	}
	for _, v := range c.Env {
		if i := strings.IndexByte(v, '='); i <= 0 {
			return errors.New("sandbox: Env has an entry that is not NAME=value")
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Processes == 0 {
		c.Processes = 4096
	}
	if c.OpenFiles == 0 {
		c.OpenFiles = 4096
	}
	if c.FileSize == 0 {
		c.FileSize = 16 << 30
	}
	if c.Grace == 0 {
		c.Grace = 5 * time.Second
	}
	if c.KeepOutput == 0 {
		c.KeepOutput = 64 << 10
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// environment returns the environment of the process, each name once.
func (c *Config) environment() []string {
	var env []string
	given := func(name string) bool {
		return slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, name+"=") })
	}
	for _, v := range slices.Backward(c.Env) { // the later of two overrides
		if name, _, _ := strings.Cut(v, "="); !given(name) {
			env = append(env, v)
		}
	}
	for _, name := range c.Inherit {
		if value, ok := os.LookupEnv(name); ok && !given(name) {
			env = append(env, name+"="+value)
		}
	}
	slices.Sort(env)
	return env
}
