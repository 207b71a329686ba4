package main

// The errors of the command: for each a class for --json, and an exit code for scripts.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/webanklive/webanklive"
)

const (
	exitDone        = 0
	exitNo          = 1
	exitUsage       = 2
	exitNotReady    = 3
	exitLater       = 4
	exitRefused     = 5
	exitInterrupted = 130
)

// errUsage is the class of mistakes in arguments and configuration.
var errUsage = errors.New("usage")

func usageError(format string, args ...any) error {
	return &failure{class: errUsage, text: fmt.Sprintf(format, args...)}
}

// failure is an error of the command itself.
type failure struct {
	class error
	text  string
	told  bool // it is on standard output already
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.class }

// Classes of the command itself.
var (
	errMismatch     = errors.New("signature does not match")
	errUnknownCode  = errors.New("unknown code")
	errMediaMissing = errors.New("media missing")
	errCheckFailed  = errors.New("a check failed")
)

// classes is in the order in which an error is matched. An error that matches several has the first of its classes: what the
// caller did comes before what it led to.
var classes = []struct {
	is   error
	name string
	exit int
}{
	{context.Canceled, "interrupted", exitInterrupted},
	{context.DeadlineExceeded, "deadline", exitLater},
	{errUsage, "usage", exitUsage},
	{errMismatch, "mismatch", exitNo},
	{errUnknownCode, "unknown_code", exitNo},
	{errCheckFailed, "check_failed", exitNo},
	{errMediaMissing, "media_missing", exitNotReady},
	{webanklive.ErrMedia, "media_broken", exitLater},
	{webanklive.ErrNotPassed, "not_passed", exitNo},
	{webanklive.ErrBadCallback, "bad_callback", exitNo},
	{webanklive.ErrUnsignedCallback, "unsigned_callback", exitNo},
	{webanklive.ErrNotReady, "not_ready", exitNotReady},
	{webanklive.ErrThrottled, "throttled", exitLater},
	{webanklive.ErrUnavailable, "unavailable", exitLater},
	{webanklive.ErrCredential, "credential", exitRefused},
	{webanklive.ErrAccount, "account", exitRefused},
	{webanklive.ErrInvalidRequest, "invalid_request", exitUsage},
	{fs.ErrExist, "file_exists", exitUsage},
}

// classify returns the class and the exit code of err. Every error of no known class is about this machine or the usage.
func classify(err error) (class string, exit int) {
	for _, c := range classes {
		if errors.Is(err, c.is) {
			return c.name, c.exit
		}
	}
	if errors.As(err, new(*fs.PathError)) {
		return "file", exitUsage
	}
	return "usage", exitUsage
}

// errorJSON is an error for machines.
type errorJSON struct {
	Class      string `json:"class"`
	Code       string `json:"code"` // the platform's; empty when it sent none
	Message    string `json:"message"`
	Retryable  bool   `json:"retryable"`
	HTTPStatus int    `json:"http_status,omitempty"`
	BizSeqNo   string `json:"biz_seq_no,omitempty"`
}

func describe(err error) errorJSON {
	class, exit := classify(err)
	e := errorJSON{Class: class, Message: oneLine(err), Retryable: exit == exitLater}
	var platform *webanklive.Error
	if errors.As(err, &platform) {
		e.Code, e.HTTPStatus, e.BizSeqNo = platform.Code, platform.HTTPStatus, platform.BizSeqNo
	}
	return e
}

// oneLine returns the text of err on one line, without the prefix "webanklive: ".
func oneLine(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	text := strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
	return strings.TrimPrefix(text, "webanklive: ")
}
