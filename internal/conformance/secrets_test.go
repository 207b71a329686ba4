//go:build go1.25

package conformance_test

// No secret in anything that a failure prints, though the platform hears them all and may say them back.

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/internal/logtest"
	"github.com/webanklive/webanklive/livetest"
)

// useAll makes every call that sends, and returns their errors.
func useAll(t *testing.T, c *webanklive.Client) []error {
	t.Helper()
	_, credential := c.Credential(t.Context())
	_, mini := c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{OrderNo: "order44", UserID: "user44"})
	_, callback := c.VerifyCallback(t.Context(), forged(), clienttest.Order)
	_, result := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
	_, media := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: io.Discard, Video: io.Discard})
	return []error{credential, launch(t.Context(), c, 1), mini, callback, result, media}
}

// echo answers with what it was asked, in every part of a reply that can end up in an error.
var echo = map[string]func(req *http.Request, query, values string) (*http.Response, error){
	"transport error": func(_ *http.Request, query, values string) (*http.Response, error) {
		return nil, errors.New("malformed HTTP status code " + query + values)
	},
	"URL error": func(req *http.Request, _, _ string) (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: errors.New("EOF")}
	},
	"unreadable Location": func(_ *http.Request, query, values string) (*http.Response, error) {
		res := httpmock.NewStringResponse(302, query)
		res.Header.Set("Location", "http://%zz/?"+query+values)
		return res, nil
	},
	"HTML": func(_ *http.Request, query, values string) (*http.Response, error) {
		res := httpmock.NewStringResponse(502, query)
		res.Header.Set("Content-Type", "text/"+values+"; x="+query)
		return res, nil
	},
	"message": func(_ *http.Request, query, values string) (*http.Response, error) {
		return httpmock.NewJsonResponse(200, map[string]any{"code": "66660000", "msg": values + query, "bizSeqNo": query})
	},
	"message cut inside a secret": func(_ *http.Request, _, values string) (*http.Response, error) {
		return httpmock.NewJsonResponse(200, map[string]any{"code": "66660000", "msg": strings.Repeat("x", 246) + values})
	},
	"code": func(_ *http.Request, _, values string) (*http.Response, error) {
		return httpmock.NewJsonResponse(200, map[string]any{"code": values, "msg": ""})
	},
	"fields of a result": func(_ *http.Request, query, values string) (*http.Response, error) {
		return httpmock.NewJsonResponse(200, map[string]any{
			"code": "-5013", "msg": values, "liveRate": values, "app_id": values, "occurredTime": values, "photo": query, values: values})
	},
}

func TestPrints_OfNoFailureHaveASecret(t *testing.T) {
	t.Parallel()
	for name, respond := range echo {
		for _, from := range append(launching[:3:3], livetest.LiveResult) {
			bubble(t, fmt.Sprint(name, " at ", from), func(t *testing.T) {
				p := livetest.New()
				p.SetMarker(clienttest.Marker)
				var log logtest.Log
				heard, said := 0, 0
				c := clienttest.NewMemoryClient(t, p, logging(&log), over(func(req *http.Request) (*http.Response, error) {
					query := req.URL.Query()
					if strings.Contains(req.URL.RawQuery, clienttest.Marker) {
						heard++
					}
					if endpointOf(query) != from {
						return p.Transport().RoundTrip(req)
					}
					said++
					var values []string
					for _, value := range query {
						values = append(values, value...)
					}
					return respond(req, req.URL.RawQuery, strings.Join(values, " "))
				}))
				failed := 0
				for _, err := range useAll(t, c) {
					if err != nil {
						failed++
						assertNoSecret(t, p, clienttest.EveryPrint(err))
					}
				}
				assertNoSecret(t, p, log.String())
				require.NotZero(t, heard, "the marker was sent")
				require.NotZero(t, said, "the echo was heard")
				require.NotZero(t, failed)
				time.Sleep(time.Minute)
			})
		}
	}
}
