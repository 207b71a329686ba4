// Package webanklive is the server side of WeBank / Tencent Cloud's H5 liveness check (H5 活体检测): it keeps the
// credential, builds the signed link that a person's browser opens, checks what the browser brings back, and asks the
// platform for the decision and the evidence. It is unofficial.
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
//	case errors.Is(err, webanklive.ErrUnsignedCallback): // the page failed early (3001 ...): offer another way to identify
//	case errors.Is(err, webanklive.ErrBadCallback), errors.Is(err, webanklive.ErrInvalidRequest):
//		// not the platform's answer for this order, or the session has none any more: refuse it
//	default: // it cannot be checked now: answer 503 with a page that repeats this request; no step 3 until it is checked
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
// Package checks does these steps for you, with a store, retries and any number of replicas; examples/nethttp is a handler
// on it.
//
// The evidence, photo and video, comes from a second call: [Client.StreamLiveMedia], or [Client.GetLiveResult] with a
// GetFile; package evidence saves it as files. The platform promises no time for which it keeps evidence: fetch it at once.
//
// # What a pass proves
//
// A live person looked into a camera for this order. It does not prove that this was your user: the link names no face, the
// address that the browser comes back to is not signed, and a link can be passed on to another person. So count a pass only
// when its callback came back in the session that started it, and compare the photo with the one on file where identity
// matters.
//
// # Three rules that people get wrong
//
// One credential for the whole fleet. A minute after a refresh, the access token before it is dead, and so is every ticket
// made with it. The default keeps the credential in one process's memory, which is right for a single process; several
// processes share a [CredentialStore] (modules redisstore and filestore) or ask a [CredentialSource].
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
// [ErrThrottled], [ErrUnavailable], [ErrInvalidRequest] or [ErrAccount]; [Retryable] tells which of them may go away.
// When ctx ends, the error matches ctx's error and no class. Calls are repeated as [WithMaxRetries] says, and bounded
// in time also when ctx has no deadline. No error or log line holds a secret, a token, a ticket, a signature or a
// query.
//
// # Watching it
//
// Never put tracing into the [net/http.Client] of [WithHTTPClient]: the secret, tokens and tickets travel in query strings,
// and it would record them. This is the way, for OpenTelemetry for instance:
//
//	webanklive.WithInstrumentation(func(next http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(next) })
//
// [WithObserver] tells of calls, requests, mints and store operations; module otelwebanklive makes spans and metrics of them.
//
// # Testing
//
// Package livetest is a fake of the platform that enforces the vendor's rules. [Sign] makes golden signatures.
package webanklive
