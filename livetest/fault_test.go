package livetest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

func TestFault_ReplacesTheReplyAndDoesNoWork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault  livetest.Fault
		status int
		kind   string
		body   string
	}{
		"status":          {livetest.Fault{Status: 502}, 502, "text/html", "<h1>502 Bad Gateway</h1>"},
		"status and body": {livetest.Fault{Status: 500, Body: "oops", ContentType: "text/plain"}, 500, "text/plain", "oops"},
		"body":            {livetest.Fault{Body: "<html>"}, 200, "text/html", "<html>"},
		"empty body":      {livetest.Fault{ContentType: "application/json"}, 200, "application/json", ""},
		"code":            {livetest.Fault{Code: "400504"}, 200, "application/json", `"code":"400504"`},
		"code and status": {livetest.Fault{Code: "15", Status: 401}, 401, "application/json", `"code":"15"`},
		"redirect":        {livetest.Fault{Redirect: "https://elsewhere.example/x"}, 302, "text/html", "302"},
		"307":             {livetest.Fault{Redirect: "https://elsewhere.example/x", Status: 307}, 307, "text/html", "307"},
		// A body that is no longer than the cut is whole.
		"cut at the end": {livetest.Fault{Body: "12345", Truncate: true, Bytes: 5}, 200, "text/html", "12345"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, r *rig) {
				r.Fail(livetest.AccessToken, c.fault, 2)
				for range 2 {
					got := r.get(r.tokenURL())
					assert.Equal(t, c.status, got.status)
					assert.Contains(t, got.header.Get("Content-Type"), c.kind)
					assert.Equal(t, c.fault.Redirect, got.header.Get("Location"))
					assert.NotEmpty(t, got.header.Get("Date"))
					assert.Contains(t, got.body, c.body)
				}
				assert.Empty(t, r.Mints())
				r.token()
				assert.Equal(t, 3, r.Calls(livetest.AccessToken))
				assert.Empty(t, r.Refusals(), "a planned fault is no refusal")
			})
		})
	}
}

func TestFault_BreaksTheConnectionBeforeTheHeaderOrAfterTheBytesAskedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault livetest.Fault
		err   error
	}{
		"reset at once":        {livetest.Fault{Reset: true}, syscall.ECONNRESET},
		"reset":                {livetest.Fault{Reset: true, Bytes: 20}, syscall.ECONNRESET},
		"truncated":            {livetest.Fault{Truncate: true, Bytes: 20}, io.ErrUnexpectedEOF},
		"truncated at once":    {livetest.Fault{Truncate: true}, io.ErrUnexpectedEOF},
		"truncated, dripping":  {livetest.Fault{Truncate: true, Bytes: 20, OneByte: true}, io.ErrUnexpectedEOF},
		"truncated error page": {livetest.Fault{Truncate: true, Bytes: 20, Status: 500}, io.ErrUnexpectedEOF},
	} {
		for _, chunked := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				eachWay(t, func(t *testing.T, r *rig) {
					r.SetStyle(livetest.Style{Chunked: chunked})
					r.Fail(livetest.AccessToken, c.fault, 1)
					got := r.do(t.Context(), http.MethodGet, r.tokenURL())
					require.ErrorIs(t, got.err, c.err)
					assert.Equal(t, name != "reset at once", got.status != 0, "the header came")
					assert.Len(t, got.body, c.fault.Bytes)
					r.token()
				})
			})
		}
	}
}

func TestFault_HangLastsUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]livetest.Fault{
		"before the header": {Hang: true},
		"inside the body":   {Hang: true, Bytes: 10},
		"delay":             {Delay: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, r *rig) {
				r.Fail(livetest.AccessToken, fault, 1)
				ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
				defer cancel()
				got := r.do(ctx, http.MethodGet, r.tokenURL())
				require.ErrorIs(t, got.err, context.DeadlineExceeded)
				assert.Len(t, got.body, fault.Bytes)
				r.token()
			})
		})
	}
}

func TestTransport_ACallerLeavesAtOnceWhateverTheHandlerDoes(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithCancel(t.Context())
		busy := make(chan struct{})
		t.Cleanup(func() { close(busy) })
		r.Fail(livetest.AccessToken, livetest.Fault{Replace: func(body []byte) []byte {
			cancel()
			<-busy
			return body
		}}, 1)
		require.ErrorIs(t, r.do(ctx, http.MethodGet, r.tokenURL()).err, context.Canceled)
	})
}

func TestServer_ReleasesHungRepliesWhenTheTestEnds(t *testing.T) {
	t.Parallel()
	errs := make(chan error, 2)
	t.Run("server", func(t *testing.T) {
		overSocket := overHTTP(t)
		overSocket.Fail(livetest.AccessToken, livetest.Fault{Hang: true}, -1)
		memory := *overSocket
		memory.client = plain(overSocket.Transport())
		for _, r := range []*rig{overSocket, &memory} {
			go func() { errs <- r.do(context.Background(), http.MethodGet, r.tokenURL()).err }() // a call without an end
		}
		require.Eventually(t, func() bool { return overSocket.Calls(livetest.AccessToken) == 2 }, 10*time.Second, time.Millisecond)
	})
	assert.Error(t, <-errs)
	assert.Error(t, <-errs)
}

func TestFault_ReplaceSeesAndChangesTheTrueReply(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		r.Fail(livetest.AccessToken, livetest.Fault{Replace: func(body []byte) []byte {
			assert.Contains(t, string(body), "access_token")
			return []byte(strings.ReplaceAll(string(body), `"0"`, `" 0 "`))
		}}, 1)
		assert.Contains(t, r.get(r.tokenURL()).body, `"code":" 0 "`)
		assert.Len(t, r.Mints(), 1, "the work was done")
	})
}

func TestFault_OneByteAtATimeIsTheSameReply(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		r.Fail(livetest.AccessToken, livetest.Fault{OneByte: true}, 1)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.tokenURL(), nil)
		require.NoError(t, err)
		res, err := r.client.Do(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		var body strings.Builder
		for piece := make([]byte, 512); ; {
			n, err := res.Body.Read(piece)
			body.Write(piece[:n])
			if r.api == livetest.MemoryAPIURL { // a socket may join packets
				assert.LessOrEqual(t, n, 1)
			}
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
		}
		assert.Contains(t, body.String(), "access_token")
		assert.True(t, strings.HasSuffix(body.String(), "}"))
	})
}

func TestFail_FaultsFollowEachOtherAndCanBeCleared(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.Fail(livetest.AccessToken, livetest.Fault{Status: 500}, 1)
	r.Fail(livetest.AccessToken, livetest.Fault{Status: 503}, -1)
	for _, want := range []int{500, 503, 503, 503} {
		assert.Equal(t, want, r.get(r.tokenURL()).status)
	}
	assert.Equal(t, "15", r.code(ticketPath, r.ticketQuery("guess", "SIGN", "")), "other endpoints work")
	r.Fail(livetest.AccessToken, livetest.Fault{}, 0)
	r.token()
}

func TestTransport_StopsTheHandlerWhenTheBodyIsClosed(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.AddResult("A1", livetest.Person{Code: "0", Video: make([]byte, 8<<20)})
	_, sign := r.mint()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.api+resultPath+"?"+r.resultQuery(sign, "A1", "3").Encode(), nil)
	require.NoError(t, err)

	res, err := r.client.Do(req)
	require.NoError(t, err)
	assert.Positive(t, res.ContentLength)
	require.NoError(t, res.Body.Close())
	_, err = res.Body.Read(make([]byte, 1))
	require.ErrorIs(t, err, http.ErrBodyReadAfterClose)

	res, err = r.client.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	cancel()
	_, err = io.Copy(io.Discard, res.Body)
	require.ErrorIs(t, err, context.Canceled)

	_, err = r.client.Do(req) //nolint:bodyclose // there is none
	require.ErrorIs(t, err, context.Canceled)
}
