package otelwebanklive_test

// What comes out of the exporters, and that none of it is a secret.

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/otelwebanklive"
)

const (
	marker = "MARKERkz94"
	order  = "order4711"
	user   = "user0815"
)

// A bench is a client whose spans and metrics are collected, beside those of otelhttp.
type bench struct {
	*livetest.Server
	client *webanklive.Client
	spans  *tracetest.InMemoryExporter
	tracer trace.Tracer
	stop   func() error
	scrape func() string
}

func newBench(t *testing.T, opts ...webanklive.Option) *bench {
	t.Helper()
	b := &bench{Server: livetest.NewServer(t), spans: tracetest.NewInMemoryExporter()}
	b.SetMarker(marker)
	tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(b.spans))
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	require.NoError(t, err)
	mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))
	t.Cleanup(func() {
		assert.NoError(t, tp.Shutdown(context.Background()))
		assert.NoError(t, mp.Shutdown(context.Background()))
	})
	b.tracer = tp.Tracer("test")

	both := []otelwebanklive.Option{otelwebanklive.WithTracerProvider(tp), otelwebanklive.WithMeterProvider(mp),
		otelwebanklive.WithAttributes(attribute.String("app", "first"))}
	observer, err := otelwebanklive.NewObserver(both...)
	require.NoError(t, err)
	b.client, err = webanklive.NewClient(b.AppID(), b.Secret(), append([]webanklive.Option{
		webanklive.WithBaseURLs(b.APIURL, b.H5URL), webanklive.WithObserver(observer),
		webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper {
			return otelhttp.NewTransport(next, otelhttp.WithTracerProvider(tp), otelhttp.WithMeterProvider(mp))
		}),
	}, opts...)...)
	require.NoError(t, err)
	b.stop, err = otelwebanklive.ObserveStatus(b.client, both...)
	require.NoError(t, err)

	web := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: false}))
	t.Cleanup(web.Close)
	b.scrape = func() string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL, nil)
		require.NoError(t, err)
		res, err := web.Client().Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(text)
	}
	return b
}

// use makes calls that pass, and calls that fail in several ways.
func (b *bench) use(t *testing.T) {
	t.Helper()
	ctx, root := b.tracer.Start(t.Context(), "handler")
	defer root.End()
	b.AddResult(order, livetest.Passing())
	_, err := b.client.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{OrderNo: order, UserID: user, CallbackURL: "https://shop.example/"})
	require.NoError(t, err)
	_, err = b.client.VerifyCallback(ctx, b.CallbackQuery(order, "0", "95"), order)
	require.NoError(t, err)
	for _, call := range []struct {
		order string
		fault livetest.Fault // the zero fault is none
		want  error
	}{
		{order, livetest.Fault{}, nil},
		{"nobody", livetest.Fault{}, webanklive.ErrNotReady},
		{order, livetest.Fault{Status: http.StatusBadGateway}, nil}, // after a repeat
		{order, livetest.Fault{Body: `{"code":"66660002","msg":"` + order + `","bizSeqNo":"B1"}`}, webanklive.ErrAccount},
		{order, livetest.Fault{Redirect: "https://evil.example/?" + marker}, webanklive.ErrUnavailable},
	} {
		b.Fail(livetest.LiveResult, call.fault, 1)
		_, err = b.client.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: call.order, GetFile: webanklive.GetFileAll})
		require.ErrorIs(t, err, call.want)
	}
	require.Contains(t, b.Requests(livetest.AccessToken)[0].Query.Get("secret"), marker, "the marker was sent")
	require.Contains(t, b.Requests(livetest.NonceTicket)[0].Query.Get("access_token"), marker)
}

func assertNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{marker, order, user, "secret=", "access_token=", "app_id=", "nobody", "newSignature"} {
		assert.NotContains(t, text, secret)
	}
}

func TestNewObserver_MakesSpansThatShowNoSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.use(t)
	spans := b.spans.GetSpans()
	all, err := json.Marshal(spans)
	require.NoError(t, err)
	assertNoSecret(t, string(all)+fmt.Sprintf("%+v %#v", spans, spans))

	byID := map[trace.SpanID]tracetest.SpanStub{}
	for _, s := range spans {
		byID[s.SpanContext.SpanID()] = s
	}
	seen := map[string]int{}
	for _, s := range spans {
		seen[s.Name]++
		attrs := attribute.NewSet(s.Attributes...)
		value := func(name string) string {
			v, _ := attrs.Value(attribute.Key(name))
			return v.String()
		}
		switch {
		case strings.HasPrefix(s.Name, "GET "):
			assert.Equal(t, trace.SpanKindClient, s.SpanKind)
			assert.Equal(t, "GET", value("http.request.method"))
			assert.Equal(t, b.APIURL+strings.TrimPrefix(s.Name, "GET /idasc"), value("url.full"))
			assert.Equal(t, "127.0.0.1", value("server.address"))
			assert.NotEmpty(t, value("server.port"))
			assert.NotEmpty(t, value("http.response.status_code"))
			assert.Contains(t, byID[s.Parent.SpanID()].Name, "webanklive ", "inside of a call or a mint")
		case s.Name == "webanklive mint":
			assert.Contains(t, byID[s.Parent.SpanID()].Name, "webanklive store Update")
			assert.NotEmpty(t, value("webanklive.reason"))
		case s.Name == "webanklive get live result" && value("error.type") == "not_ready":
			assert.Equal(t, codes.Unset, s.Status.Code, "an answer is no error")
			assert.Equal(t, "66660011", value("webanklive.code"))
		case s.Name == "webanklive get live result" && value("error.type") == "account":
			assert.Equal(t, codes.Error, s.Status.Code)
			assert.Equal(t, "B1", value("webanklive.biz_seq_no"))
		case s.Name == "HTTP GET":
			assert.True(t, strings.HasPrefix(byID[s.Parent.SpanID()].Name, "GET "), "that of otelhttp is inside of ours")
		}
	}
	assert.Equal(t, 5, seen["webanklive get live result"])
	assert.Equal(t, 6, seen["GET /idasc/api/server/getLiveResult"], "a span for each attempt")
	assert.Equal(t, 1, seen["webanklive mint"])
	assert.Equal(t, 9, seen["HTTP GET"])
}

func TestPrometheus_HasEveryMetricAndNoSecret(t *testing.T) {
	t.Parallel()
	b := newBench(t, webanklive.WithMaxRetries(1))
	b.use(t)
	text := b.scrape()
	assertNoSecret(t, text)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err)
	for name, series := range map[string]int{
		"webanklive_call_duration_seconds": 6, "webanklive_request_duration_seconds": 8, "webanklive_mints_total": 1,
		"webanklive_credential_age_seconds": 1, "webanklive_credential_remaining_seconds": 1, "http_client_request_duration_seconds": 0,
	} {
		require.Contains(t, families, name)
		if series > 0 {
			assert.Len(t, families[name].GetMetric(), series, name)
		}
	}
	remaining := families["webanklive_credential_remaining_seconds"].GetMetric()[0].GetGauge().GetValue()
	assert.InDelta(t, (59 * time.Minute).Seconds(), remaining, 60)
	if testing.Verbose() {
		t.Log(text)
	}

	require.NoError(t, b.stop())
	assert.NotContains(t, b.scrape(), "webanklive_credential_age")
}

func TestNewObserver_CountsWhatAStoreFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, webanklive.WithCredentialStore(brokenStore{webanklive.NewMemoryStore()}), webanklive.WithMaxRetries(0))
	_, err := b.client.Credential(t.Context())
	require.ErrorIs(t, err, webanklive.ErrUnavailable)
	text := b.scrape()
	assert.Contains(t, text, `webanklive_store_failures_total{app="first",error_type="other",`)
	assert.NotContains(t, text, "webanklive_credential_age", "nothing is held")
	_, err = otelwebanklive.ObserveStatus(nil)
	require.Error(t, err)
}

type brokenStore struct{ webanklive.CredentialStore }

func (brokenStore) Load(context.Context, string) ([]byte, error) { return nil, io.ErrUnexpectedEOF }
