package main

// What it costs to be watched: hooks that do nothing, and OpenTelemetry as the guide sets it up.

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/otelwebanklive"
)

// idleObserver and idleTransport watch, and make nothing of it.
type idleObserver struct{}

func (idleObserver) Start(ctx context.Context, _ webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
	return ctx, func(webanklive.Outcome) {}
}

type idleTransport struct{ http.RoundTripper }

// lostSpans is an exporter that takes spans in and keeps none.
type lostSpans struct{}

func (lostSpans) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (lostSpans) Shutdown(context.Context) error                             { return nil }

// watched compares a result without media, the smallest of the calls, with and without observer and instrumentation.
func (b *bench) watched() error {
	f, err := newFetcher(b.ctx, b.plat.Plain, b.plat.AppID, b.plat.Secret)
	if err != nil {
		return err
	}
	traces := sdktrace.NewTracerProvider(sdktrace.WithBatcher(lostSpans{}))
	defer func() { _ = traces.Shutdown(context.WithoutCancel(b.ctx)) }()
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	observer, err := otelwebanklive.NewObserver(otelwebanklive.WithTracerProvider(traces), otelwebanklive.WithMeterProvider(meters))
	if err != nil {
		return err
	}

	instrumented := webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper {
		return otelhttp.NewTransport(next, otelhttp.WithTracerProvider(traces), otelhttp.WithMeterProvider(meters))
	})

	ways := []way{{"floor: http.Client GET, read and discard", func() error {
		_, _, err := f.get(orderTiny, discardDecode)
		return err
	}}}
	for _, kind := range []struct {
		name string
		opts []webanklive.Option
	}{
		{"SDK: GetLiveResult, not watched", nil},
		{"SDK: with hooks that do nothing", []webanklive.Option{webanklive.WithObserver(idleObserver{}),
			webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return idleTransport{next} })}},
		{"SDK: with otelhttp alone", []webanklive.Option{instrumented}},
		{"SDK: with otelwebanklive and otelhttp", []webanklive.Option{webanklive.WithObserver(observer), instrumented}},
	} {
		sdk, err := webanklive.NewClient(b.plat.AppID, b.plat.Secret, append(kind.opts,
			webanklive.WithBaseURLs(b.plat.Plain, b.plat.Plain), webanklive.WithCredentialSource(f.sdk))...)
		if err != nil {
			return err
		}
		ways = append(ways, way{kind.name, func() error {
			_, err := sdk.GetLiveResult(b.ctx, webanklive.LiveResultRequest{OrderNo: orderTiny})
			return err
		}})
	}
	for _, workers := range []int{1, 16} {
		figures, err := sideBySide(b.pick(120, 8), 10*time.Millisecond, workers, ways)
		if err != nil {
			return err
		}
		for i, fig := range figures {
			r := costRow(fmt.Sprintf("Watched result, %d at once", workers), ways[i].name, fig, none, none)
			r.result = "CPU " + nanoseconds(fig.cpu)
			r.usual, r.floor = "", number(fig.cpu/figures[0].cpu)
			if i > 1 {
				r.result += ", " + number(fig.cpu/figures[1].cpu) + " × not watched"
			}
			if i == 2 || i == 4 { // otelhttp alone is there for the scale
				r.targets = []target{atMost("CPU ≤ 1.25 × not watched", fig.cpu/figures[1].cpu, 1.25)}
			}
			b.table.add(r)
		}
	}
	return nil
}
