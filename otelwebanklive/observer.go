package otelwebanklive

// The observer: a span for each activity, and the metrics that follow from them.

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/webanklive/webanklive"
)

const scope = "github.com/webanklive/webanklive/otelwebanklive"

// Option changes one setting of [NewObserver] or [ObserveStatus]; the last of a kind wins.
type Option func(*config)

type config struct {
	tracers    trace.TracerProvider
	meters     metric.MeterProvider
	attributes []attribute.KeyValue
}

func newConfig(opts []Option) config {
	cfg := config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	for _, opt := range opts {
		if opt != nil {
			opt(&cfg)
		}
	}
	return cfg
}

// WithTracerProvider makes spans with tp, of the global provider unless set. A nil tp is ignored.
func WithTracerProvider(tp trace.TracerProvider) Option {
	return func(cfg *config) {
		if tp != nil {
			cfg.tracers = tp
		}
	}
}

// WithMeterProvider makes metrics with mp, of the global provider unless set. A nil mp is ignored.
func WithMeterProvider(mp metric.MeterProvider) Option {
	return func(cfg *config) {
		if mp != nil {
			cfg.meters = mp
		}
	}
}

// WithAttributes adds attributes to every span and metric, to tell several app IDs apart for instance. They must be few
// and from a bounded set.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(cfg *config) { cfg.attributes = append(cfg.attributes, attributes...) }
}

type observer struct {
	tracer                        trace.Tracer
	attributes                    []attribute.KeyValue
	callDuration, requestDuration metric.Float64Histogram
	mints, storeFailures          metric.Int64Counter
}

// NewObserver returns an observer for [webanklive.WithObserver]; several clients may share it. Its error is the meter
// provider's.
func NewObserver(opts ...Option) (webanklive.Observer, error) {
	cfg := newConfig(opts)
	meter := cfg.meters.Meter(scope)
	o := &observer{tracer: cfg.tracers.Tracer(scope), attributes: cfg.attributes}
	// A call takes milliseconds while the credential is at hand, and as long as its ctx or 30 seconds a try otherwise.
	buckets := metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
	var errs [4]error
	o.callDuration, errs[0] = meter.Float64Histogram("webanklive.call.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Duration of the calls of a webanklive client."))
	o.requestDuration, errs[1] = meter.Float64Histogram("webanklive.request.duration", metric.WithUnit("s"), buckets,
		metric.WithDescription("Duration of the HTTP requests to the platform, until the reply was read."))
	o.mints, errs[2] = meter.Int64Counter("webanklive.mints", metric.WithUnit("{mint}"),
		metric.WithDescription("Credentials that were minted, and tries that failed."))
	o.storeFailures, errs[3] = meter.Int64Counter("webanklive.store.failures", metric.WithUnit("{failure}"),
		metric.WithDescription("Operations of the credential store or source that failed."))
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	return o, nil
}

// Start implements webanklive.Observer.
func (o *observer) Start(ctx context.Context, a webanklive.Activity) (context.Context, func(webanklive.Outcome)) {
	began := time.Now()
	name, kind := "webanklive "+a.Name, trace.SpanKindInternal
	attributes := append(o.attributes[:len(o.attributes):len(o.attributes)], attribute.String("webanklive.operation", a.Name))
	switch a.Kind {
	case webanklive.ActivityCall:
		kind = trace.SpanKindClient
	case webanklive.ActivityRequest:
		name, kind = "GET "+a.Path, trace.SpanKindClient
	case webanklive.ActivityStore:
		name = "webanklive store " + a.Name
	}
	ofSpan := attributes
	switch a.Kind {
	case webanklive.ActivityRequest:
		ofSpan = append(ofSpan[:len(ofSpan):len(ofSpan)], target(a.Host, a.Path)...)
		attributes = append(attributes, attribute.String("server.address", hostOf(a.Host)))
	case webanklive.ActivityMint:
		attributes = append(o.attributes[:len(o.attributes):len(o.attributes)], attribute.String("webanklive.reason", a.Reason))
		ofSpan = append(ofSpan[:len(ofSpan):len(ofSpan)], attribute.String("webanklive.reason", a.Reason))
	}
	ctx, span := o.tracer.Start(ctx, name, trace.WithSpanKind(kind), trace.WithAttributes(ofSpan...))
	return ctx, func(out webanklive.Outcome) {
		endSpan(span, a, out)
		o.record(ctx, a, out, time.Since(began), attributes)
	}
}

func endSpan(span trace.Span, a webanklive.Activity, out webanklive.Outcome) {
	defer span.End()
	if out.Code != "" {
		span.SetAttributes(attribute.String("webanklive.code", out.Code))
	}
	if out.HTTPStatus != 0 && a.Kind == webanklive.ActivityRequest {
		span.SetAttributes(attribute.Int("http.response.status_code", out.HTTPStatus), attribute.Int64("http.response.body.size", out.Bytes))
	}
	if out.Err == nil {
		return
	}
	span.SetAttributes(attribute.String("error.type", out.Class))
	var e *webanklive.Error
	if errors.As(out.Err, &e) && e.BizSeqNo != "" {
		span.SetAttributes(attribute.String("webanklive.biz_seq_no", e.BizSeqNo))
	}
	if out.Class != "not_passed" && out.Class != "not_ready" { // these are answers
		span.SetStatus(codes.Error, out.Err.Error())
	}
}

func (o *observer) record(ctx context.Context, a webanklive.Activity, out webanklive.Outcome, took time.Duration, attributes []attribute.KeyValue) {
	if out.Class != "" {
		attributes = append(attributes, attribute.String("error.type", out.Class))
	}
	switch a.Kind {
	case webanklive.ActivityCall:
		if out.Code != "" {
			attributes = append(attributes, attribute.String("webanklive.code", out.Code))
		}
		o.callDuration.Record(ctx, took.Seconds(), metric.WithAttributes(attributes...))
	case webanklive.ActivityRequest:
		if out.HTTPStatus != 0 {
			attributes = append(attributes, attribute.Int("http.response.status_code", out.HTTPStatus))
		}
		o.requestDuration.Record(ctx, took.Seconds(), metric.WithAttributes(attributes...))
	case webanklive.ActivityMint:
		o.mints.Add(ctx, 1, metric.WithAttributes(attributes...))
	case webanklive.ActivityStore:
		if out.Err != nil {
			o.storeFailures.Add(ctx, 1, metric.WithAttributes(attributes...))
		}
	}
}

// target says where a request goes. Plain http is only possible on a loopback host, and taken for granted there.
func target(hostPort, path string) []attribute.KeyValue {
	scheme, port := "https", 443
	host := hostOf(hostPort)
	if addr, err := netip.ParseAddr(host); host == "localhost" || err == nil && addr.IsLoopback() {
		scheme, port = "http", 80
	}
	if _, p, err := net.SplitHostPort(hostPort); err == nil {
		if n, err := strconv.Atoi(p); err == nil {
			port = n
		}
	}
	return []attribute.KeyValue{
		attribute.String("http.request.method", "GET"), attribute.String("url.full", scheme+"://"+hostPort+path),
		attribute.String("server.address", host), attribute.Int("server.port", port),
	}
}

func hostOf(hostPort string) string {
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		return host
	}
	return hostPort
}
