// Package livetest is a fake of the H5 liveness platform: the API host, the browser host and the person in front of the
// camera. It is for tests, for examples and for trying a handler by hand; nothing in it reaches the network.
//
// A test over real HTTP:
//
//	srv := livetest.NewServer(t)
//	c, err := webanklive.NewClient(srv.AppID(), srv.Secret(), webanklive.WithBaseURLs(srv.APIURL, srv.H5URL))
//	link, err := c.BuildLiveLoginURL(ctx, …)
//	callback, err := srv.Visit(ctx, link, livetest.Passing())
//
// A test without a socket, for instance inside a testing/synctest bubble (make the platform inside the bubble):
//
//	p := livetest.New()
//	hc := &http.Client{Transport: p.Transport()}
//	// base URLs: livetest.MemoryAPIURL and livetest.MemoryH5URL
//
// Replies that must not be believed come from BadResults, media that were damaged on the way from LostPlus, both by Fail.
// Each app ID has a secret, tokens and orders of its own: see Register.
//
// The platform refuses what the vendor refuses: wrong signatures, dead or foreign tickets, a NONCE ticket used twice, an
// order number seen before. The vendor's message is vague; Refusals tells a developer the exact reason. It has its own
// signer, pinned to the documented vectors, so that a mistake in a client's signer cannot cancel out.
//
// Where the vendor's pages are silent the fake does this: API refusals come with HTTP 200, browser refusals with 403; an
// unknown parameter is ignored, a repeated one refused; a malformed version, grant_type or type is 400502, a missing
// parameter 400101, any other malformed one 66660013 or, for the order number, 66660000. Of checks that were launched it
// remembers the last 20,000.
package livetest
