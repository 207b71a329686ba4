// Package conformance holds the black-box suites of the SDK: they use what partners import, over a platform or a network that
// behaves badly, and look at promises that no single file keeps. The tests of a file's own rules are beside it, in the root.
//
//   - abuse_test.go: what an attacker or a careless caller puts into callbacks, order numbers, URLs and replies is refused
//     before it reaches the network, a disk or a log.
//   - faults_test.go: a platform that hangs, refuses or tells a wrong time costs no storm of mints and no caller's time.
//   - fleet_test.go: processes that share a credential mint once between them, for a week, from a cold start, on two keys.
//   - fuzz_callback_test.go, fuzz_reply_test.go, fuzz_store_test.go: foreign bytes never pass for a good callback, reply or
//     stored credential; each target states the rule a second time and compares.
//   - hostile_test.go: broken and hostile connections and proxies over real sockets are errors, learn nothing, and leave no
//     connection behind.
//   - instrumentation_test.go: instrumentation sees no query and no body, and changes nothing of a call.
//   - leak_test.go: no exported type prints a secret, however a program prints it.
//   - limits_test.go: how long a call may take, and how much it may read.
//   - matrix_test.go, matrix_faults_test.go: every call, at each request that it sends, ends as promised for every fault.
//   - secrets_test.go: no failure prints a secret that the platform was told or says back.
//   - transport_test.go: what a request carries, and what a caller's own transport may break.
//   - waitformedia_test.go: media that come later than the verdict are waited for, and no longer than promised.
//   - wedge_test.go: a store, source, logger or caller that breaks or never returns stops nobody else.
//
// What they share is in helpers_test.go and wire_test.go.
package conformance
