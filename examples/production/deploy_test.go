//go:build unix

package main

// What lies beside the program: nginx with its retrying page, the manifests.

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// newNginx runs nginx with deploy/nginx.conf in front of upstream, and returns its address and its directory.
func newNginx(t *testing.T, upstream string) (address, dir string) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		if program = "/usr/sbin/nginx"; exec.Command(program, "-v").Run() != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("there is no nginx: apt-get install nginx")
			}
			t.Skip("there is no nginx: apt-get install nginx")
		}
	}
	dir = t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) //nolint:gosec // workers of nginx are another user
	conf, err := os.ReadFile("deploy/nginx.conf")
	require.NoError(t, err)
	listen := deadAddr(t)
	site := string(conf)
	for _, change := range [][2]string{ // what belongs to the container: its DNS, its port, its paths; older versions have no resolve
		{"liveness:8080 resolve", upstream}, {"resolver 127.0.0.11 valid=2s;", ""}, {"listen 80;", "listen " + listen + ";"},
		{"/var/log/nginx/", dir + "/"}, {"/usr/share/nginx/html", dir},
	} {
		require.Contains(t, site, change[0])
		site = strings.ReplaceAll(site, change[0], change[1])
	}
	page, err := os.ReadFile("deploy/retry.html")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "retry.html"), page, 0o644)) //nolint:gosec // as above
	// As in nginx's image: a log with queries in http, which the site's own must replace.
	wrapper := "user root;\ndaemon off;\npid " + dir + "/pid;\nerror_log " + dir + "/main.log notice;\nevents {}\nhttp {\naccess_log " + dir + "/queries.log;\n"
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		wrapper += name + "_temp_path " + filepath.Join(dir, name) + ";\n"
	}
	if os.Geteuid() != 0 {
		wrapper = strings.TrimPrefix(wrapper, "user root;\n")
	}
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(wrapper+site+"}\n"), 0o600))
	cmd := exec.Command(program, "-p", dir, "-e", filepath.Join(dir, "start.log"), "-c", file)
	var said bytes.Buffer
	cmd.Stderr = &said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		conn, err := net.DialTimeout("tcp", listen, time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, wait, 20*time.Millisecond, "nginx does not start")
	return "http://" + listen, dir
}

func TestNginx_RetriesWhenNoReplicaAnswersAndLogsNoQuery(t *testing.T) {
	t.Parallel()
	upstream := deadAddr(t)
	address, dir := newNginx(t, upstream)
	const secret = "5Ecr3tS1gnature"
	callback := address + "/liveness/L1/done?code=0&newSignature=" + secret
	res, body := ask(t, newVisitor(t), http.MethodGet, callback)
	assert.Equal(t, http.StatusBadGateway, res.StatusCode)
	assert.Equal(t, "3", res.Header.Get("Refresh"), "repeats the request, query and all")
	assert.Equal(t, "3", res.Header.Get("Retry-After"))
	assert.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	assert.Contains(t, body, "本页会自动重试")
	res, _ = ask(t, newVisitor(t), http.MethodPost, address+"/liveness/start")
	assert.Equal(t, http.StatusBadGateway, res.StatusCode)
	assert.NotEmpty(t, res.Header.Get("Refresh"))
	assert.Equal(t, http.StatusNotFound, get(t, address+"/metrics"))

	l, err := net.Listen("tcp", upstream) // a replica that is there, and says itself what is wrong
	require.NoError(t, err)
	own := &http.Server{ReadHeaderTimeout: wait, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "the replica's own page for "+r.Host+r.URL.String())
	})}
	go func() { _ = own.Serve(l) }()
	t.Cleanup(func() { _ = own.Close() })
	require.Eventually(t, func() bool { // after fail_timeout
		res, body = ask(t, newVisitor(t), http.MethodGet, callback)
		return strings.Contains(body, "the replica's own page for "+strings.TrimPrefix(callback, "http://"))
	}, wait, 50*time.Millisecond)
	assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)

	log, err := os.ReadFile(filepath.Join(dir, "access.log"))
	require.NoError(t, err)
	assert.Contains(t, string(log), "/liveness/:order/done")
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	for _, name := range logs {
		log, err := os.ReadFile(name) //nolint:gosec // this test's own
		require.NoError(t, err)
		assert.NotContains(t, string(log), secret, filepath.Base(name))
	}
}

func TestManifests_AskForDrainingAloneAndRunWithoutRights(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("deploy/kubernetes.yaml")
	require.NoError(t, err)
	kinds := map[string]int{}
	for manifests := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var m struct {
			Kind string
			Spec struct {
				Template struct {
					Spec struct {
						SecurityContext map[string]any `yaml:"securityContext"`
						Containers      []struct {
							Name           string
							ReadinessProbe struct {
								HTTPGet struct{ Path string } `yaml:"httpGet"`
							} `yaml:"readinessProbe"`
							SecurityContext map[string]any `yaml:"securityContext"`
						}
					}
				}
			}
		}
		err := manifests.Decode(&m)
		if err == io.EOF { //nolint:errorlint // yaml returns it as it is
			break
		}
		require.NoError(t, err)
		kinds[m.Kind]++
		for _, c := range m.Spec.Template.Spec.Containers {
			assert.Equal(t, true, m.Spec.Template.Spec.SecurityContext["runAsNonRoot"], c.Name)
			if c.Name == "liveness" {
				assert.Equal(t, "/readyz?drain", c.ReadinessProbe.HTTPGet.Path)
				assert.Equal(t, true, c.SecurityContext["readOnlyRootFilesystem"])
				assert.Contains(t, m.Spec.Template.Spec.SecurityContext, "fsGroup")
			}
		}
	}
	assert.Equal(t, map[string]int{"Deployment": 2, "Service": 2, "PodDisruptionBudget": 1, "PersistentVolumeClaim": 1, "Ingress": 1, "ConfigMap": 1}, kinds)

	text, err = os.ReadFile("compose.yaml")
	require.NoError(t, err)
	var compose struct {
		Services map[string]struct {
			ReadOnly bool `yaml:"read_only"`
			Deploy   struct{ Replicas int }
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &compose))
	assert.True(t, compose.Services["liveness"].ReadOnly)
	assert.Equal(t, 3, compose.Services["liveness"].Deploy.Replicas)
}
