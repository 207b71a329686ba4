// Package livetest is a fake of the H5 liveness platform: the API host, the browser host and the person in front of the
// camera. It is for tests, for examples and for trying a handler by hand; nothing in it reaches the network.
//
// A test over real HTTP:
//
//	srv := livetest.NewServer(t)
//	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL))
//	link, err := c.BuildLiveLoginURL(ctx, …)
//	callback, err := srv.Visit(ctx, link, livetest.Passing()) // plays the browser and the person
//	u, err := url.Parse(callback)                             // CallbackURL with the signed query
//	cb, err := c.VerifyCallback(ctx, u.Query(), orderNo)
//	result, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: orderNo})
//
// [Failing] and [Quitting] are other persons. [Platform.Fail] plans failures of the platform or of the network.
//
// A test without a socket, for instance inside a testing/synctest bubble (make the platform inside the bubble):
//
//	p := livetest.New()
//	c, err := webanklive.NewClient(p.AppID(), p.Secret(), webanklive.WithHTTPClient(&http.Client{Transport: p.Transport()}),
//		webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL))
//
// For Fail, [BadResults] has replies that claim a pass and prove none, and [LostPlus] damages the media. Each app ID has a
// secret, tokens and orders of its own: see [Platform.Register].
//
// The platform refuses what the vendor refuses: wrong signatures, dead or foreign tickets, a NONCE ticket used twice, an
// order number seen before. The vendor's message is vague; [Platform.Refusals] tells a developer the exact reason. The
// platform has a signer of its own, tested with the vendor's published examples, so it finds a mistake in a client's signer.
//
// Where the vendor's pages are silent the fake does this: API refusals come with HTTP 200, browser refusals with 403; an
// unknown parameter is ignored, a repeated one refused; a malformed version, grant_type or type is 400502, a missing
// parameter 400101, any other malformed one 66660013 or, for the order number, 66660000. The platform remembers the last
// 20,000 checks that were launched.
package livetest
