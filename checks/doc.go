// Package checks takes one liveness check (活体检测) from the tap of a button to a verdict that never changes, and keeps the
// evidence, on any number of replicas, through restarts and outages. Package webanklive makes the calls to the platform;
// this package decides when to make them, and stores what they answer.
//
//	store := checks.NewMemoryStore() // one process; several processes share a database: module sqlchecks
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
// the rest: it asks for the verdict, calls OnConcluded, fetches the evidence, and removes old checks. examples/nethttp has
// the handlers.
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
//	either    an error: credential, throttled, unavailable          asked again, as long as it takes, backing off to a minute
//	          an error: invalid request, account                    an ERROR line; asked hourly for three days, then Abandoned
//	final     a late answer, another worker, a callback             nothing: the verdict never changes
//	          OnConcluded failed                                    called again, backing off to ten minutes
//	          passed (also Abandoned with code 0)                   evidence is fetched, for three days at most
//	          Keep is over, OnConcluded succeeded                   evidence and check are removed
//
// Passed, NotPassed, OtherWay and Abandoned are final. Count only Passed as a pass of the user: its callback came back in
// the session that started the check. Passed proves a live person, not this user, because a link can be passed on to
// another person. Where identity matters, compare the photo with the one on file. After OtherWay, offer another way to
// identify that is as strong.
//
// # When something fails
//
// Before Run works on a check, it claims the check: no other replica works on it until the claim ends, 30 seconds later
// unless renewed. So when a replica dies, another one goes on after at most 30 seconds, and every step can be repeated.
// OnConcluded is therefore called at least once for each check: make it idempotent by OrderNo.
//
// When the platform does not work, checks stay Returned and Run asks again. When the database does not work, Return and
// Check fail with a temporary error, and Run tries again within seconds. When the credential store does not work, Return
// fails with a temporary error, because the signature cannot be verified; the browser repeats the same request.
//
// Two replicas whose clocks differ by minutes agree all the same, because all times are the store's. Two workers never
// work on the same check: a claim is taken by compare-and-set and renewed every ten seconds, and a worker that cannot
// renew its claim stops its work.
//
// When a callback comes twice, is reloaded, or comes days late, Return returns the check unchanged. When it comes before the
// row can be read (a replica of the database lags), Return looks for the row again for two seconds. When it comes in
// another session, in a second browser, or after another user signed in, Return does not find the check. The platform is
// asked about that check later, and a pass is not counted. A second Start of the same user, in another tab for instance,
// is refused with [ErrUnderWay].
//
// # Errors
//
// [ErrNotFound] and [webanklive.ErrBadCallback] are final: tell the person to start again. [ErrUnderWay] and [ErrTooMany]
// refuse a Start for now, and [webanklive.ErrInvalidRequest] is a mistake in the program. Any other error is temporary:
// answer 503 with Retry-After and a page that repeats the same request.
package checks
