package otelwebanklive_test

// The guide's code and the dashboard are those of this module.

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/otelwebanklive"
)

func newWatchedClient(appID, secret string) (stop func() error, err error) {
	observer, err := otelwebanklive.NewObserver()
	if err != nil {
		return nil, err
	}
	c, err := webanklive.NewClient(appID, secret,
		webanklive.WithObserver(observer),
		webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(next) }),
		webanklive.WithLogger(slog.Default()))
	if err != nil {
		return nil, err
	}
	stop, err = otelwebanklive.ObserveStatus(c) // the age and the remaining life of the credential
	return stop, err
}

func TestGuide_ItsCodeIsThisCode(t *testing.T) {
	t.Parallel()
	stop, err := newWatchedClient("app", "secret")
	require.NoError(t, err)
	require.NoError(t, stop())
	guide, err := os.ReadFile("../docs/observability.md")
	require.NoError(t, err)
	here, err := os.ReadFile("guide_test.go")
	require.NoError(t, err)
	_, code, _ := strings.Cut(string(guide), "```golang\n")
	code, _, _ = strings.Cut(code, "```")
	lines := strings.Split(strings.TrimSpace(code), "\n")
	require.Greater(t, len(lines), 8)
	for _, line := range lines {
		line = strings.TrimSpace(strings.Replace(line, "stop, err := ", "stop, err = ", 1))
		assert.Contains(t, string(here), line)
	}
}

func TestDashboardAndAlerts_AskForMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.use(t)
	exported := b.scrape()
	dashboard, err := os.ReadFile("../examples/observability/dashboard.json")
	require.NoError(t, err)
	var parsed struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(dashboard, &parsed))
	require.NotEmpty(t, parsed.Panels)
	guide, err := os.ReadFile("../docs/observability.md")
	require.NoError(t, err)
	asked := string(guide)
	for _, p := range parsed.Panels {
		require.NotEmpty(t, p.Targets, p.Title)
		asked += p.Targets[0].Expr + "\n"
	}
	checked := map[string]bool{}
	for _, name := range regexp.MustCompile(`webanklive_[a-z_]+(_total|_seconds|_count|_sum|_bucket)\b`).FindAllString(asked, -1) {
		if name != "webanklive_store_failures_total" { // nothing failed here
			assert.Contains(t, exported, name+"{")
		}
		checked[name] = true
	}
	assert.GreaterOrEqual(t, len(checked), 7)
}
