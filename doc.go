// Package webanklive is the server side of WeBank / Tencent Cloud's H5 liveness check (H5 活体检测): it keeps the
// access token and the tickets, builds the signed link that a person's browser opens, checks what the browser brings back,
// and asks the platform for the decision and for the evidence, photo and video. It is unofficial.
//
// A check takes three calls. One Client, made once, serves all of them:
//
//	c, err := webanklive.NewClient(appID, secret)
//
//	// 1. The person starts. Put a new order number into the session for every attempt: a letter, then up to 31 random
//	// letters and digits. Then redirect.
//	link, err := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
//		OrderNo: session.OrderNo, UserID: session.UserID, CallbackURL: "https://shop.example/liveness/done"})
//	// err != nil: there is no link; if Retryable(err), say "try again later"
//	w.Header().Set("Cache-Control", "no-store")
//	w.Header().Set("Referrer-Policy", "no-referrer")
//	http.Redirect(w, r, link, http.StatusSeeOther)
//
//	// 2. The browser is back at CallbackURL: is this the platform's answer for the order that this session expects?
//	cb, err := c.VerifyCallback(ctx, r.URL.Query(), session.OrderNo)
//	switch {
//	case err == nil: // go on with step 3, whatever cb.Code says
//	case errors.Is(err, webanklive.ErrUnsignedCallback): // its page gave up (code 3001 ...): offer another way to identify
//	case errors.Is(err, webanklive.ErrBadCallback), errors.Is(err, webanklive.ErrInvalidRequest):
//		// not the platform's answer for this order, or the session holds no order number: refuse it
//	default: // the callback cannot be checked now: answer 503 with a page that repeats this request, and skip step 3
//	}
//
//	// 3. Did the person pass? Only this decides, for an order whose callback passed step 2.
//	res, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: session.OrderNo})
//	switch {
//	case err == nil: // this person passed
//	case errors.Is(err, webanklive.ErrNotPassed): // res.Code says why; a new attempt needs a new order number
//	case errors.Is(err, webanklive.ErrNotReady), webanklive.Retryable(err): // ask again later, in a job
//	default: // configuration, contract or a bug: page someone
//	}
//
// Package checks does these steps for you, with a store, retries and any number of replicas; examples/nethttp has HTTP
// handlers built on it.
//
// The evidence comes from a second call: [Client.StreamLiveMedia], or [Client.GetLiveResult] with a GetFile. Package
// evidence saves it as files. The platform promises no time for which it keeps evidence: fetch it at once.
//
// # What a pass proves
//
// A live person looked into a camera for this order. It does not prove that this was your user: the link is bound to no face,
// the address that the browser comes back to is not signed, and a link can be passed on to another person. So count a pass only
// when its callback came back in the session that started it, and compare the photo with the one on file where identity
// matters.
//
// # Three rules that people get wrong
//
// One credential for the whole fleet. The credential is an access token and the SIGN ticket made with it, a key that signs
// queries. A Client mints a new credential, that is, gets one from the platform, every 20 minutes. A minute after that the
// platform refuses the old token and every ticket made with it, so two processes that each mint their own break each
// other. The default keeps the credential in one process's memory, which is right for a single process. Several processes
// share a [CredentialStore] (modules redisstore and filestore) or ask a [CredentialSource].
//
// The link is a one-time key. It opens one check within two minutes. Redirect the browser to it with Cache-Control:
// no-store and Referrer-Policy: no-referrer; do not put it into a page, a message or a log, and do not open it on the
// server.
//
// The callback decides nothing. It can be replayed, its score is not signed, and its signature is ambiguous across
// order numbers. Check it against the order number that the session expects, never against one that the browser
// names, and then ask GetLiveResult.
//
// # Errors
//
// A failed call returns an *[Error] that matches one class: [ErrNotPassed], [ErrNotReady], [ErrCredential],
// [ErrThrottled], [ErrUnavailable], [ErrInvalidRequest] or [ErrAccount]. [Retryable] reports whether the same call may
// succeed later. When ctx ends, the error matches ctx's error and no class. A client repeats failed requests as
// [WithMaxRetries] says, and every call ends in bounded time, even if ctx has no deadline. No error or log line holds a
// secret, a token, a ticket, a signature or a query.
//
// # Observability
//
// Never put tracing into the [net/http.Client] of [WithHTTPClient]: the secret, tokens and tickets travel in query strings,
// and tracing there would record them. Use [WithInstrumentation]. For OpenTelemetry:
//
//	webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(next) })
//
// [WithObserver] reports calls, requests, mints and store operations; module otelwebanklive makes spans and metrics of them.
//
// # Testing
//
// Package livetest is a fake of the platform that enforces the vendor's rules. [Sign] computes the vendor's signature, for
// golden tests.
package webanklive
