package conformance_test

// No secret in the print of any exported type that holds one, however a careless program prints it.

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/evidence"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

const face = "MARKER: the face of a person" // what stands for photo and video

// printable returns value by itself, and inside what programs put around it.
func printable(value any) map[string]any {
	type request struct {
		ID    int
		Value any
	}
	pointer := reflect.New(reflect.TypeOf(value))
	pointer.Elem().Set(reflect.ValueOf(value))
	return map[string]any{
		"itself": value, "pointer": pointer.Interface(), "field": request{1, value}, "pointer to a field": &request{1, value},
		"slice": []any{value}, "map": map[string]any{"value": value},
		"wrapped error": fmt.Errorf("x: %w", errors.New(fmt.Sprint(value))), "panic": recovered(value),
	}
}

// recovered is what a program has that recovers from panic(value) and logs it.
func recovered(value any) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	panic(value)
}

// prints is every text that fmt and slog make of value, but %p: fmt prints the fields of a struct for it without asking
// the struct, and go vet refuses it.
func prints(value any) map[string]string {
	texts := map[string]string{"Sprint": fmt.Sprint(value), "Sprintln": fmt.Sprintln(value)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%T", "%e", "%10.3v", "%!", "no verb"} {
		texts[verb] = fmt.Sprintf(verb, value)
	}
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var out bytes.Buffer
		log := slog.New(handler(&out))
		log.Error("x", "value", value, slog.Group("group", "value", value))
		log.With("value", value).WithGroup("group").Info("x", slog.Any("value", value))
		texts["slog "+name] = out.String()
	}
	return texts
}

// holds reports whether text shows any of secrets, also in hexadecimal or as the bytes of a slice in decimal.
func holds(text string, secrets ...string) (string, bool) {
	for _, secret := range secrets {
		decimal := strings.Trim(fmt.Sprint([]byte(secret[:5])), "[]") //nolint:staticcheck // its bytes as numbers, which is how %d and %v print them
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret[:5])), fmt.Sprintf("% x", secret[:5]), decimal} {
			if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
				return form, true
			}
		}
	}
	return "", false
}

func TestPrints_OfNoExportedTypeHaveASecret(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	srv.SetMarker(clienttest.Marker)
	store := webanklive.NewMemoryStore()
	c := clienttest.NewClient(t, srv, webanklive.WithCredentialStore(store), webanklive.WithMaxRetries(0))
	credential, err := c.Credential(t.Context())
	require.NoError(t, err)
	miniProgram, err := c.BuildMiniProgramLaunch(t.Context(), webanklive.MiniProgramRequest{OrderNo: "M1", UserID: "user"})
	require.NoError(t, err)
	sign := miniProgram.ExtraData["sign"]
	srv.AddResult(clienttest.Order, livetest.Passing())
	result, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.NoError(t, err)
	result.Photo, result.Video = []byte(face), []byte(face)

	// The marker was sent, and is where it could be printed from.
	require.Contains(t, srv.Requests(livetest.AccessToken)[0].Query.Get("secret"), clienttest.Marker)
	require.Contains(t, credential.AccessToken+credential.SignTicket, clienttest.Marker)
	require.Len(t, sign, 40)
	credential.PreviousSignTicket = credential.SignTicket

	srv.Fail(livetest.LiveResult, livetest.Fault{Status: http.StatusBadGateway}, -1)
	_, failure := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
	require.ErrorIs(t, failure, webanklive.ErrUnavailable)
	query := url.Values{"code": {"0"}, "orderNo": {clienttest.Order}, "newSignature": {strings.Repeat("A", 40)}}
	_, forged := c.VerifyCallback(t.Context(), query, clienttest.Order)
	require.ErrorIs(t, forged, webanklive.ErrBadCallback)
	_, misplaced := webanklive.NewClient(clienttest.Marker+" app", clienttest.Marker+" secret", webanklive.WithBaseURLs("https://u:"+clienttest.Marker+"@x", clienttest.Marker))
	require.ErrorIs(t, misplaced, webanklive.ErrInvalidRequest)
	callback, err := c.VerifyCallback(t.Context(), srv.CallbackQuery(clienttest.Order, "0", "95"), clienttest.Order)
	require.NoError(t, err)

	for name, tc := range map[string]struct {
		value any
		shows string // proves that the print is one of value
	}{
		"Client":            {c, srv.AppID()},
		"Credential":        {credential, credential.ExpiresAt.Format(time.RFC3339)},
		"MiniProgramLaunch": {*miniProgram, "M1"},
		"LiveResult":        {*result, clienttest.Order},
		"Callback":          {*callback, clienttest.Order},
		"Error":             {failure, "HTTP 502"},
		"forged callback":   {forged, "does not match"},
		"misplaced secret":  {misplaced, "must be an absolute URL"},
		"memory store":      {store, ""},
		"evidence.Request":  {evidence.Request{OrderNo: clienttest.Order, Dir: "dir"}, clienttest.Order},
		"evidence.Files":    {evidence.Files{Photo: "photo"}, "photo"},
		"livetest.Platform": {srv.Platform, ""},
		"livetest.Server":   {srv, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, fmt.Sprint(tc.value), tc.shows)
			for around, value := range printable(tc.value) {
				for how, text := range prints(value) {
					if form, found := holds(text, clienttest.Marker, face, sign, query.Get("newSignature")); found && !encoded(around, how, name) {
						assert.Fail(t, "a secret is printed", "%s, %s: %q", around, how, form)
					}
				}
			}
		})
	}
}

// encoded reports the one way out, which SECURITY.md names: a Credential, launch or result inside of another value
// that slog's JSON handler encodes with encoding/json, which is how they are handed on.
func encoded(around, how, name string) bool {
	return how == "slog JSON" && around != "itself" && around != "pointer" && around != "wrapped error" && around != "panic" &&
		(name == "Credential" || name == "MiniProgramLaunch" || name == "LiveResult")
}
