// Package checks takes one liveness check (活体检测) from the tap of a button to a verdict that is written once and to
// evidence that is kept, on any number of replicas, through restarts and outages. Package webanklive makes each call to
// the platform right; this package is what happens between the calls.
//
//	s, err := checks.New(client, store, checks.Config{
//		CallbackURL: func(orderNo string) string { return "https://shop.example/liveness/" + orderNo + "/done" },
//		OnConcluded: func(ctx context.Context, c checks.Check) error { return accounts.Record(ctx, c.UserID, c.State) },
//		Evidence:    evidence.Directory("/var/lib/shop/evidence"),
//	})
//	go s.Run(ctx) // on every replica
//
//	launch, err := s.Start(ctx, checks.StartRequest{UserID: user, Session: session}) // redirect to launch.URL
//	check, err := s.Return(ctx, orderNo, session, r.URL.Query())                     // the browser is back
//	check, err := s.Check(ctx, orderNo, session)                                     // what a page shows
//
// Start, Return and Check are for handlers: they read and write the [Store], and ask the platform for no result. Run does
// the rest: it asks for the verdict, calls OnConcluded, fetches the evidence, and removes what is old.
//
// # The states of a check
//
//	state     what happens                                          what follows
//	--------  ----------------------------------------------------  -----------------------------------------------
//	(none)    Start                                                 Launched, before the browser is redirected
//	Launched  Return with a signed callback                         Returned
//	          Return with an unsigned failure (3001 ...)            Returned, unsigned
//	          no callback for AskAfter; the platform is asked:      passed: Abandoned with code 0, evidence is kept
//	                                                                failed: NotPassed; no result: Abandoned
//	Returned  the platform says passed                              Passed; if the callback was unsigned: Abandoned
//	          the platform says failed                              NotPassed
//	          no result, the callback was signed                    asked again for ten minutes, then Abandoned
//	          no result, the callback was unsigned                  asked once more, then OtherWay
//	either    credential, throttled, unavailable                    asked again, as long as it takes, backing off to a minute
//	          invalid request, account                              an ERROR line; asked hourly for three days, then Abandoned
//	final     a late answer, another worker, a callback             nothing: the verdict is written once
//	          OnConcluded failed                                    called again, backing off to ten minutes
//	          passed (also Abandoned with code 0)                   evidence is fetched, for three days at most
//	          Keep is over, OnConcluded succeeded                   files and row are removed
//
// Passed, NotPassed, OtherWay and Abandoned are final. Only Passed is a pass for the account: its callback came back
// in the session that started it. It proves a live person, not this user, because a link can be relayed to another face: where
// identity matters, compare the photo with the one on file. After OtherWay, offer a way to identify that is as strong.
//
// # When something fails
//
// A replica dies between any two lines: what it had claimed is free 30 seconds later, and every step can be repeated.
// OnConcluded is therefore called at least once for each check: make it idempotent by OrderNo.
//
// The platform is away: checks stay Returned, pages say so, Run asks again. The database is away: Return and Check fail
// with an error that is temporary, and Run tries again within seconds. The credential store is away: Return fails with
// a temporary error, because the signature cannot be judged; the browser repeats the same request.
//
// Two replicas whose clocks differ by minutes agree all the same, because every time and every claim is judged by the
// store's clock. Two workers never have the same check in hand: a claim is taken by compare-and-set, renewed every ten
// seconds, and a worker that cannot renew it drops its work.
//
// A callback twice, reloaded or days late finds the check as it is. A callback before the row can be read (a replica of
// the database that lags) is looked for again for two seconds. A callback in another session, in a second browser, or after
// another user signed in is not found; the check is asked about later, and a pass is not credited. Two tabs: the second
// Start is refused with [ErrUnderWay].
//
// # Errors
//
// [ErrNotFound] and [webanklive.ErrBadCallback] are final: tell the person to start again. [ErrUnderWay] and [ErrTooMany]
// refuse a Start for now, and [webanklive.ErrInvalidRequest] is a mistake in the program. Any other error is temporary:
// answer 503 with Retry-After and a page that repeats the same request.
package checks
