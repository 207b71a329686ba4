package checks

// A check as it is stored and shown.

import "time"

// State is where a check is. Its values are those of the JSON that pages read.
type State string

// The states. The last four are final.
const (
	Launched  State = "launched"   // the browser was sent to the platform
	Returned  State = "returned"   // it came back; the verdict is not known yet
	Passed    State = "passed"     // the platform says so, and the callback came back in the session that started it
	NotPassed State = "not_passed" // the platform says so
	OtherWay  State = "other_way"  // the platform's page could not check: offer another way that is as strong
	Abandoned State = "abandoned"  // no result, or a pass without a signed callback in its session
)

// Final reports whether s is a verdict that never changes.
func (s State) Final() bool {
	return s == Passed || s == NotPassed || s == OtherWay || s == Abandoned
}

// EvidenceState is what is known of a check's photo and video.
type EvidenceState string

// The states of the evidence.
const (
	EvidenceNone    EvidenceState = ""        // there is none to keep
	EvidencePending EvidenceState = "pending" // to be fetched
	EvidenceKept    EvidenceState = "kept"    // photo and video are kept
	EvidenceMissing EvidenceState = "missing" // photo, video or both could not be had for three days
)

// Check is one attempt of one person. It holds no secret; UserID and OrderNo are personal data.
type Check struct {
	OrderNo string
	UserID  string
	Session string // SHA-256 in hex of what Start was given
	State   State

	// Code is the platform's once the check is final, else the callback's. LiveRate and BizSeqNo come with the verdict.
	// They are for support; decide by State.
	Code, LiveRate, BizSeqNo string

	// CreatedAt, ReturnedAt and DecidedAt are on the store's clock, in milliseconds; zero: not yet. An unsigned callback
	// counts as a return.
	CreatedAt, ReturnedAt, DecidedAt time.Time

	Evidence EvidenceState

	Signed    bool  // the callback of this session was signed
	Concluded bool  // OnConcluded succeeded
	Tries     int   // how often the present step was tried
	Version   int64 // grows by one with every write
}
