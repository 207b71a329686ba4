package otelwebanklive

// Gauges of a client's credential. The observer cannot have them: it exists before the client.

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/webanklive/webanklive"
)

// ObserveStatus makes gauges of the age and the remaining life of the credential that c holds, whenever metrics are
// collected; nothing is observed while it holds none. Use WithAttributes to tell several clients apart. stop ends it. It
// uses neither the network nor the store.
func ObserveStatus(c *webanklive.Client, opts ...Option) (stop func() error, err error) {
	if c == nil {
		return nil, errors.New("otelwebanklive: the client must not be nil")
	}
	cfg := newConfig(opts)
	meter := cfg.meters.Meter(scope)
	age, err := meter.Float64ObservableGauge("webanklive.credential.age", metric.WithUnit("s"),
		metric.WithDescription("Time since the credential that is held was minted."))
	if err != nil {
		return nil, err
	}
	remaining, err := meter.Float64ObservableGauge("webanklive.credential.remaining", metric.WithUnit("s"),
		metric.WithDescription("Time until the credential that is held expires; negative afterwards."))
	if err != nil {
		return nil, err
	}
	attributes := metric.WithAttributes(cfg.attributes...)
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := c.Status()
		now := time.Now().Add(s.ClockSkew) // the times of a credential are on the platform's clock
		if !s.MintedAt.IsZero() {
			o.ObserveFloat64(age, now.Sub(s.MintedAt).Seconds(), attributes)
		}
		if !s.ExpiresAt.IsZero() {
			o.ObserveFloat64(remaining, s.ExpiresAt.Sub(now).Seconds(), attributes)
		}
		return nil
	}, age, remaining)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}
