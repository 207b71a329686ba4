package main

// The wiring of package checks: where browsers come back to, what a verdict means here, where evidence is kept.

import (
	"context"
	"log/slog"
	"time"

	"github.com/webanklive/webanklive/checks"
	"github.com/webanklive/webanklive/evidence"
)

// newChecks is the wiring of package checks.
func newChecks(cfg *config, platform *clients, store checks.Store, log *slog.Logger) (*checks.Service, error) {
	return checks.New(&platform.web, store, checks.Config{
		CallbackURL: func(orderNo string) string { return cfg.siteURL.String() + "/liveness/" + orderNo + "/done" },
		Worker:      &platform.worker,
		Rate:        cfg.rate,
		Evidence:    evidence.Directory(cfg.evidenceDir),
		Keep:        90 * 24 * time.Hour, // ask your lawyers
		Logger:      log,
		// OnConcluded is where the account learns of it. It is called again until it returns nil.
		OnConcluded: func(ctx context.Context, c checks.Check) error {
			log.InfoContext(ctx, "concluded", "order_no", c.OrderNo, "state", c.State, "code", c.Code, "biz_seq_no", c.BizSeqNo)
			return nil
		},
	})
}
