package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// versionCommand shows what this binary was built from.
func versionCommand(p *Program) *cli.Command {
	v := buildVersion()
	return listing(p, "version", "show what this binary was built from", func() any { return v }, func() error {
		_, err := fmt.Fprintf(p.Stdout, "%s %s (%s, %s)\n", v.Module, v.Version, v.Go, v.Platform)
		return err
	})
}

type version struct {
	Module   string `json:"module"`
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func buildVersion() version {
	v := version{Module: "unknown", Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Module, v.Version = info.Main.Path, info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}
