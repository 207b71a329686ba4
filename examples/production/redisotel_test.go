//go:build unix

package main

// What redisotel records of the store's commands, set up as docs/observability.md says, against a real Redis.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/servertest"
	"github.com/webanklive/webanklive/livetest"
	"github.com/webanklive/webanklive/redisstore"
)

func TestRedisotel_RecordsNoTokenWithoutStatements(t *testing.T) {
	t.Parallel()
	server := servertest.Redis(t)
	const marker = "MARKERredisotel"
	for name, records := range map[string]bool{"as the guide says": false, "by default": true} { //nolint:paralleltest // one Redis
		t.Run(name, func(t *testing.T) {
			platform := livetest.New()
			platform.SetMarker(marker)
			spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
			tp := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
			mp := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))

			rdb := redis.NewClient(&redis.Options{Addr: server.Addr()})
			t.Cleanup(func() { _ = rdb.Close() })
			require.NoError(t, rdb.FlushAll(t.Context()).Err())
			opts := []redisotel.TracingOption{redisotel.WithTracerProvider(tp)}
			if !records {
				opts = append(opts, redisotel.WithDBStatement(false))
			}
			require.NoError(t, redisotel.InstrumentTracing(rdb, opts...))
			require.NoError(t, redisotel.InstrumentMetrics(rdb, redisotel.WithMeterProvider(mp)))

			c, err := webanklive.NewClient(platform.AppID(), platform.Secret(),
				webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL), webanklive.WithHTTPClient(&http.Client{Transport: platform.Transport()}),
				webanklive.WithCredentialStore(redisstore.New(rdb)))
			require.NoError(t, err)
			credential, err := c.Credential(t.Context())
			require.NoError(t, err)
			require.Contains(t, credential.AccessToken, marker)
			kept := ""
			for _, key := range rdb.Keys(t.Context(), "*").Val() {
				kept += rdb.Get(t.Context(), key).Val()
			}
			require.Contains(t, kept, credential.AccessToken, "it was sent to Redis")

			require.NotEmpty(t, spans.GetSpans())
			var metrics metricdata.ResourceMetrics
			require.NoError(t, reader.Collect(t.Context(), &metrics))
			all, err := json.Marshal([]any{spans.GetSpans(), metrics})
			require.NoError(t, err)
			text := string(all) + fmt.Sprintf("%+v %+v", spans.GetSpans(), metrics)
			assert.Equal(t, records, strings.Contains(text, marker))
		})
	}
}
