// Package conformance holds the black-box suites of the SDK: they use what partners import, over a platform or a network that
// behaves badly, and look at promises that no single file keeps. The tests of a file's own rules are beside it, in the root.
//
//   - abuse_test.go: what an attacker or a careless caller puts into callbacks, order numbers, URLs and replies is refused
//     before it reaches the network, a disk or a log.
//   - faults_test.go: a platform that hangs, breaks off or tells a wrong time costs no storm of mints and no caller's time.
//   - fleet_test.go: processes that share a credential mint once between them, for a week, from a cold start, on two keys.
//   - flow_test.go: a person who passes, from the launch to the stored result.
//   - fuzz_callback_test.go, fuzz_reply_test.go, fuzz_store_test.go: foreign bytes never pass for a good callback, reply or
//     stored credential; each target states the rule a second time and compares.
//   - hostile_test.go: broken and hostile connections and proxies over real sockets are errors, learn nothing, and leave no
//     connection behind.
//   - leak_test.go: no exported type prints a secret, however a program prints it.
//   - limits_test.go: how long a call may take, how much it may read, and what it tells the other side.
//   - matrix_test.go, matrix_faults_test.go: every call, at each request that it sends, ends as promised for every fault.
//   - secrets_test.go: no failure prints a secret that the platform was told or says back.
//   - transport_test.go: instrumentation sees no query, and an attempt survives transports, bodies and writers that break.
//   - waitformedia_test.go: media that come later than the verdict are waited for, and no longer than promised.
//   - wedge_test.go: a store, source, logger or caller that breaks or never returns stops nobody else.
package conformance
