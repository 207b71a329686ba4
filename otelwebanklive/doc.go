// Package otelwebanklive makes OpenTelemetry spans and metrics of what a webanklive Client does:
//
//	observer, err := otelwebanklive.NewObserver()
//	c, err := webanklive.NewClient(appID, secret, webanklive.WithObserver(observer))
//	stop, err := otelwebanklive.ObserveStatus(c)
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
//	webanklive.credential.age        s, gauge      since the mint of the credential that is held
//	webanklive.credential.remaining  s, gauge      until that one expires, negative afterwards
//
// error.type is webanklive.ClassOf of the error; it is absent after success. The vendor's code is one of its catalogue or the
// word other, so that every attribute of a metric is from a bounded set. Nothing holds a secret, a token, a ticket, a
// signature, a query, an order number or a user ID. The status of a span is Error unless the class is not_passed or
// not_ready, which are answers.
//
// It may be used beside otelhttp, put around the transport with webanklive.WithInstrumentation: the names of the metrics
// are others, so nothing is counted twice.
package otelwebanklive
