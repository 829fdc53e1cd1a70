package control

import (
	"runtime"
	"runtime/debug"

	"github.com/panpipe-net/panpipe/node/control/api"
)

// BuildInfo tells the version of this program from what the linker stored.
func BuildInfo() api.Version {
	v := api.Version{Version: "devel", API: "v1", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v.Revision = s.Value
		}
	}
	return v
}

func buildVersion() string { return BuildInfo().Version }
