// Package otelwebanklive makes OpenTelemetry spans and metrics of what a webanklive Client does:
//
//	observer, err := otelwebanklive.NewObserver()
//	c, err := webanklive.NewClient(appID, secret, webanklive.WithObserver(observer))
//	stop, err := otelwebanklive.ObserveStatus(c) // the two gauges below
//
// A mint is the making of a new credential; a store shares the credential between processes.
//
// Spans, all of them children of the span in the caller's context:
//
//	span                     kind      made of                    attributes besides webanklive.operation
//	webanklive OPERATION     client    a call of the Client       webanklive.code, webanklive.biz_seq_no, error.type
//	GET PATH                 client    an HTTP request            http.request.method, url.full (without its query), server.address,
//	                                                              server.port, http.response.status_code, and those of a call
//	webanklive mint          internal  a new credential           webanklive.reason, error.type
//	webanklive store METHOD  internal  an operation of the store  error.type
//
// Metrics:
//
//	webanklive.call.duration         s, histogram  webanklive.operation, error.type, webanklive.code
//	webanklive.request.duration      s, histogram  webanklive.operation, server.address, http.response.status_code, error.type
//	webanklive.mints                 counter       webanklive.reason, error.type
//	webanklive.store.failures        counter       webanklive.operation (Load, Update; Credential, Invalidate of a source), error.type
//	webanklive.credential.age        s, gauge      since the mint of the credential that the client holds
//	webanklive.credential.remaining  s, gauge      until that credential expires, negative afterwards
//
// error.type is webanklive.ClassOf of the error; it is absent after success. webanklive.code is a code of the vendor's
// catalogue or the word other, so that every attribute of a metric is from a bounded set. Nothing holds a secret, a token,
// a ticket, a signature, a query, an order number or a user ID. The status of the span of a failed activity is Error,
// unless the class is not_passed or not_ready, which are answers.
//
// The observer may be used together with otelhttp, which goes around the transport with webanklive.WithInstrumentation: its
// metrics have other names, so nothing is counted twice.
package otelwebanklive
