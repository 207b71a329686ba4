package otelwebanklive_test

// A day of a fleet on which much goes wrong, with everything attached that operators attach, and no secret in what any of
// that gives out.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/fleetsim"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/otelwebanklive"
)

// debugTransport prints all that it sees, as people do when something does not work.
type debugTransport struct {
	next http.RoundTripper
	out  *log.Logger
}

func (d debugTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		WroteHeaderField: func(key string, value []string) { d.out.Println("wrote", key, value) },
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			d.out.Println("got", code, header)
			return nil
		},
	}))
	dump, err := httputil.DumpRequestOut(req, true)
	d.out.Printf("%s %v %+v", dump, err, req)
	res, err := d.next.RoundTrip(req)
	if err != nil {
		d.out.Printf("%v %+v", err, err)
		return res, err
	}
	dump, err = httputil.DumpResponse(res, true)
	d.out.Printf("%s %v %+v %+v", dump, err, res, res.Request)
	return res, nil
}

// wire notes what goes between the fleet and the platform, where the secrets belong.
type wire struct {
	mu         sync.Mutex
	sent       map[string]int // requests whose parameter has the marker in it
	granted    map[string]int // replies whose token or ticket has
	signatures map[string]bool
}

// A wireTransport is one replica's end of the wire.
type wireTransport struct {
	*wire
	next http.RoundTripper
}

func (w wireTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(req)
	if err != nil {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	w.mu.Lock()
	defer w.mu.Unlock()
	query := req.URL.Query()
	for name, values := range query {
		if strings.Contains(values[0], marker) {
			w.sent[name]++
		}
	}
	if strings.Contains(string(body), marker) {
		w.granted[query.Get("type")]++ // empty: an access token
	}
	if sign := query.Get("sign"); sign != "" {
		w.signatures[sign] = true
	}
	return res, err
}

func TestInstruments_GiveOutNoSecretOnABadDayOfAFleet(t *testing.T) {
	t.Parallel()
	w := &wire{sent: map[string]int{}, granted: map[string]int{}, signatures: map[string]bool{}}
	var outcome *fleetsim.Outcome
	given := map[string]string{} // what came out, by where
	var logged, debugged bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		platform := livetest.New()
		platform.SetMarker(marker)
		handler := slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})
		debug := log.New(&debugged, "", 0)

		spans, reader, registry := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader(), prometheus.NewRegistry()
		exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
		require.NoError(t, err)
		tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
		mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader), sdkmetric.WithReader(exporter))
		providers := []otelwebanklive.Option{otelwebanklive.WithTracerProvider(tp), otelwebanklive.WithMeterProvider(mp)}
		observer, err := otelwebanklive.NewObserver(providers...)
		require.NoError(t, err)

		outcome = fleetsim.Simulate(t.Context(), fleetsim.Config{
			Replicas: 20, Hours: 24, Every: 10 * time.Minute, Faults: true, Platform: platform, Log: handler,
			Wire: func(next http.RoundTripper) http.RoundTripper { return wireTransport{w, next} },
			Options: []webanklive.Option{webanklive.WithObserver(observer),
				webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper {
					return otelhttp.NewTransport(debugTransport{next, debug}, otelhttp.WithTracerProvider(tp), otelhttp.WithMeterProvider(mp))
				})},
			Failed: func(ctx context.Context, failed error) {
				slog.New(handler).ErrorContext(ctx, "call failed", "error", failed, "text", fmt.Sprintf("%v %+v %#v", failed, failed, failed))
			},
		})

		all, err := json.Marshal(spans.GetSpans())
		require.NoError(t, err)
		given["spans"] = string(all) + fmt.Sprintf("%+v", spans.GetSpans())
		var metrics metricdata.ResourceMetrics
		require.NoError(t, reader.Collect(t.Context(), &metrics))
		all, err = json.Marshal(metrics)
		require.NoError(t, err)
		given["metrics"] = string(all) + fmt.Sprintf("%+v", metrics)
		scraped := httptest.NewRecorder()
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(scraped, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		given["Prometheus"] = scraped.Body.String()
		require.NoError(t, tp.Shutdown(t.Context()))
		require.NoError(t, mp.Shutdown(t.Context()))
	})
	given["log"], given["debug transport"] = logged.String(), debugged.String()

	// The day was one, and the secrets were on the wire.
	assert.Greater(t, outcome.Calls, 2500)
	assert.GreaterOrEqual(t, len(outcome.Mints), 65)
	for _, name := range []string{"secret", "access_token"} {
		require.Positive(t, w.sent[name], "the marker was sent as %s: %v", name, w.sent)
	}
	for _, kind := range []string{"", "SIGN", "NONCE"} {
		require.Positive(t, w.granted[kind], "the marker was granted: %v", w.granted)
	}
	require.NotEmpty(t, w.signatures)

	// Everything was watched.
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(given["Prometheus"]))
	require.NoError(t, err)
	for _, name := range []string{"webanklive_call_duration_seconds", "webanklive_request_duration_seconds", "webanklive_mints_total",
		"webanklive_store_failures_total", "http_client_request_duration_seconds"} {
		assert.Contains(t, slices.Collect(maps.Keys(families)), name)
	}
	for where, texts := range map[string][]string{
		"spans":           {"webanklive get live result", "webanklive mint", "webanklive store Update", "HTTP GET", "url.full"},
		"metrics":         {"webanklive.call.duration", "http.client.request.duration"},
		"log":             {"minted a credential", "the platform refused the credential", "call failed", "repeating a call"},
		"debug transport": {"GET /idasc/api/oauth2/access_token HTTP/1.1", "HTTP/1.1 200 OK", "HTTP/1.1 503"},
	} {
		for _, text := range texts {
			assert.True(t, strings.Contains(given[where], text), "%s has %s", where, text) //nolint:testifylint // its failure would print a day of logs
		}
	}

	// And nothing of it is a secret.
	signature := regexp.MustCompile(`[0-9A-F]{40}`)
	for where, text := range given {
		for _, secret := range []string{marker, "secret=", "access_token=", "sign=", "user_id=", "newSignature="} {
			if before, _, found := strings.Cut(text, secret); found {
				assert.Fail(t, "a secret came out", "%s: %q after …%s", where, secret, before[max(0, len(before)-300):])
			}
		}
		for _, found := range signature.FindAllString(text, -1) {
			assert.False(t, w.signatures[found], "%s: a signature", where)
		}
	}
}
