package main

// version: which versions of the command, the SDK and Go these are.

import (
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

type versionAnswer struct {
	Version   string `json:"version"` // "(devel)" when built from a work tree
	SDK       string `json:"sdk"`     // of github.com/webanklive/webanklive
	GoVersion string `json:"go_version"`
	Platform  string `json:"platform"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			answer := versionAnswer{
				Version: "(devel)", SDK: "(devel)", GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
			}
			if info, ok := debug.ReadBuildInfo(); ok {
				if info.Main.Version != "" {
					answer.Version = info.Main.Version
				}
				for _, module := range info.Deps {
					if module.Path == "github.com/webanklive/webanklive" && module.Replace == nil {
						answer.SDK = module.Version
					}
				}
			}
			return a.print(answer, func(w io.Writer) {
				say(w, "webanklive %s, SDK %s, %s %s\n", answer.Version, answer.SDK, answer.GoVersion, answer.Platform)
			})
		},
	}
}
