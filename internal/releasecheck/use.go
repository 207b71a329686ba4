// Using the release as on a new machine of a partner, without this repository.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

//go:embed testdata/partner.go
var partner []byte

// use installs the command, and builds a program on the libraries. It takes this repository's modules from proxy only.
func use(ctx context.Context, proxy, home, version string) error {
	upstream, err := upstreamProxies(ctx)
	if err != nil {
		return err
	}
	shop := filepath.Join(home, "shop")
	if err := os.MkdirAll(shop, 0o755); err != nil {
		return err
	}
	env := []string{
		"GOPATH=" + home, "GOMODCACHE=" + filepath.Join(home, "pkg", "mod"), "GOBIN=" + filepath.Join(home, "bin"),
		"GOPROXY=" + proxyURL(proxy) + "," + upstream, "GONOSUMDB=" + ours, "GOFLAGS=-modcacherw", "GOWORK=off",
	}
	if err := useCommand(ctx, shop, filepath.Join(home, "bin"), env, version); err != nil {
		return err
	}

	if err := os.WriteFile(filepath.Join(shop, "main.go"), partner, 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "init", "shop.example/partner"},
		{
			"get", root + "@" + version, root + "/filestore@" + version, root + "/redisstore@" + version,
			root + "/sqlchecks@" + version, root + "/otelwebanklive@" + version,
		},
		{"vet", "."},
		{"build", root + "/sqlchecks", root + "/otelwebanklive"},
	} {
		if _, err := run(ctx, shop, env, "go", args...); err != nil {
			return err
		}
		fmt.Println("go", strings.Join(args, " "))
	}
	said, err := run(ctx, shop, env, "go", "run", ".", filepath.Join(home, "credential"))
	if err != nil {
		return err
	}
	if said != "order R1 passed" {
		return fmt.Errorf("the partner's program says %q", said)
	}
	fmt.Println("go run . says:", said)
	return nil
}

// useCommand installs the command, and compares a signature that it makes with that of the vendor's page.
func useCommand(ctx context.Context, dir, bin string, env []string, version string) error {
	install := []string{"install", root + "/cmd/webanklive@" + version}
	if _, err := run(ctx, dir, env, "go", install...); err != nil {
		return err
	}
	fmt.Println("go", strings.Join(install, " "))
	command := filepath.Join(bin, "webanklive")
	if runtime.GOOS == "windows" {
		command += ".exe"
	}

	said, err := run(ctx, dir, env, command, "version")
	if err != nil {
		return err
	}
	if !strings.Contains(said, version) {
		return fmt.Errorf("webanklive version says %q, not %s", said, version)
	}
	fmt.Println("webanklive version says:", said)

	vector, err := documentedVector()
	if err != nil {
		return err
	}
	args := []string{"sign"}
	for name, value := range vector.Values {
		if name == "ticket" { // a secret, for which the command has no argument
			env = append(env, "WEBANK_TICKET="+value)
			continue
		}
		args = append(args, name+"="+value)
	}
	said, err = run(ctx, dir, env, command, args...)
	if err != nil {
		return err
	}
	if !strings.Contains(said, vector.SHA1) {
		return fmt.Errorf("webanklive sign does not print the documented %s but:\n%s", vector.SHA1, said)
	}
	fmt.Println("webanklive sign prints the documented", vector.SHA1)
	return nil
}

// A vector is a documented example of the vendor: the values, and their signature.
type vector struct {
	Values map[string]string
	SHA1   string
}

func documentedVector() (vector, error) {
	var vectors struct{ Match []vector }
	text, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	if err == nil {
		err = json.Unmarshal(text, &vectors)
	}
	if err == nil && len(vectors.Match) == 0 {
		err = errors.New("testdata/vectors.json has no vector")
	}
	if err != nil {
		return vector{}, err
	}
	return vectors.Match[0], nil
}
