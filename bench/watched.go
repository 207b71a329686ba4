package main

// What it costs to be watched: hooks that do nothing, and OpenTelemetry as the guide sets it up.

import (
	"context"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/otelwebanklive"
)

// idleObserver and idleTransport are the hooks that do nothing.
type idleObserver struct{}

func (idleObserver) Start(ctx context.Context, _ webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
	return ctx, func(webanklive.Outcome) {}
}

type idleTransport struct{ http.RoundTripper }

// watched compares a result without media, the smallest of the calls, with and without observer and instrumentation.
func (b *bench) watched() error {
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
	defer func() { _ = traces.Shutdown(context.Background()) }()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	observer, err := otelwebanklive.NewObserver(otelwebanklive.WithTracerProvider(traces), otelwebanklive.WithMeterProvider(meters))
	if err != nil {
		return err
	}
	idle := webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return idleTransport{next} })
	otel := webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper {
		return otelhttp.NewTransport(next, otelhttp.WithTracerProvider(traces), otelhttp.WithMeterProvider(meters))
	})

	ways := []way{b.bareTiny()}
	for _, kind := range []struct {
		name string
		opts []webanklive.Option
	}{
		{"SDK: GetLiveResult, not watched", nil},
		{"SDK: with hooks that do nothing", []webanklive.Option{webanklive.WithObserver(idleObserver{}), idle}},
		{"SDK: with otelhttp alone", []webanklive.Option{otel}},
		{"SDK: with otelwebanklive and otelhttp", []webanklive.Option{webanklive.WithObserver(observer), otel}},
	} {
		sdk, err := newClient(b.Plain, append(kind.opts, webanklive.WithCredentialSource(b.sdk))...)
		if err != nil {
			return err
		}
		ways = append(ways, way{kind.name, tinyResult(sdk)})
	}
	return b.smallCalls("Watched result", ways, func(r *row, i int, figures []figure) {
		cpu, floor, unwatched := figures[i].cpu, figures[0].cpu, figures[1].cpu
		r.result, r.floor = "CPU "+nanoseconds(cpu), number(cpu/floor)
		if i > 1 {
			r.result += ", " + number(cpu/unwatched) + " × not watched"
		}
		if i == 2 || i == 4 { // otelhttp alone is there for the scale
			r.targets = []target{atMost("CPU ≤ 1.25 × not watched", cpu/unwatched, 1.25)}
		}
	})
}
