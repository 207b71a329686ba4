package webanklive_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func TestVerifyCallback_AcceptsWhatThePlatformSends(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewVerifier(t)
	signed := srv.CallbackQuery(clienttest.Order, "0", "99.5")
	failed := srv.CallbackQuery(clienttest.Order, "-5013", "")
	for name, tc := range map[string]struct {
		query url.Values
		want  webanklive.Callback
	}{
		"passed":          {signed, webanklive.Callback{OrderNo: clienttest.Order, Code: "0", LiveRate: "99.5"}},
		"failed":          {failed, webanklive.Callback{OrderNo: clienttest.Order, Code: "-5013"}},
		"score is a text": {clienttest.With(signed, "liveRate", "分数为空"), webanklive.Callback{OrderNo: clienttest.Order, Code: "0", LiveRate: "分数为空"}},
		"lower-case hexadecimal": {
			clienttest.With(signed, "newSignature", strings.ToLower(signed.Get("newSignature"))),
			webanklive.Callback{OrderNo: clienttest.Order, Code: "0", LiveRate: "99.5"}},
		"newSign instead of newSignature": {
			without(clienttest.With(signed, "newSign", signed.Get("newSignature")), "newSignature"),
			webanklive.Callback{OrderNo: clienttest.Order, Code: "0", LiveRate: "99.5"}},
		"newSign beside an equal newSignature": {
			clienttest.With(signed, "newSign", strings.ToLower(signed.Get("newSignature"))),
			webanklive.Callback{OrderNo: clienttest.Order, Code: "0", LiveRate: "99.5"}},
		"a gateway's own parameters": {
			clienttest.With(clienttest.With(signed, "utm_source", "x"), "session", "y"),
			webanklive.Callback{OrderNo: clienttest.Order, Code: "0", LiveRate: "99.5"}},
		"an old signature beside it": {
			clienttest.With(signed, "signature", webanklive.Sign(srv.AppID(), clienttest.Order, "another ticket")),
			webanklive.Callback{OrderNo: clienttest.Order, Code: "0", LiveRate: "99.5"}},
		"two old signatures beside it": {
			withBoth(signed, "signature", "x", "y"), webanklive.Callback{OrderNo: clienttest.Order, Code: "0", LiveRate: "99.5"}},
		"score twice":             {withBoth(signed, "liveRate", "99", "98"), webanklive.Callback{OrderNo: clienttest.Order, Code: "0"}},
		"score of 33 bytes":       {clienttest.With(signed, "liveRate", strings.Repeat("9", 33)), webanklive.Callback{OrderNo: clienttest.Order, Code: "0"}},
		"score with a line break": {clienttest.With(signed, "liveRate", "99\nlevel=INFO"), webanklive.Callback{OrderNo: clienttest.Order, Code: "0"}},
		"score that is no UTF-8":  {clienttest.With(signed, "liveRate", "9\xff"), webanklive.Callback{OrderNo: clienttest.Order, Code: "0"}},
		"no score":                {without(signed, "liveRate"), webanklive.Callback{OrderNo: clienttest.Order, Code: "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb, err := c.VerifyCallback(t.Context(), tc.query, clienttest.Order)
			require.NoError(t, err)
			assert.Equal(t, &tc.want, cb)
		})
	}
}

func TestVerifyCallback_RefusesAnyChangedByte(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewVerifier(t)
	for _, code := range []string{"0", "66660014"} {
		query := without(without(srv.CallbackQuery(clienttest.Order, code, ""), "liveRate"), "signature")
		for name := range query {
			value := query.Get(name)
			for i := range len(value) {
				for _, b := range []byte{value[i] ^ 1, value[i] ^ 16, ' ', 0} {
					changed := value[:i] + string(rune(b)) + value[i+1:]
					if strings.EqualFold(changed, value) {
						continue // the case of a hexadecimal digit
					}
					cb, err := c.VerifyCallback(t.Context(), clienttest.With(query, name, changed), clienttest.Order)
					require.ErrorIs(t, err, webanklive.ErrBadCallback, "%s=%q", name, changed)
					require.Nil(t, cb)
				}
			}
			for _, changed := range []string{value + "0", value[1:], " " + value} {
				_, err := c.VerifyCallback(t.Context(), clienttest.With(query, name, changed), clienttest.Order)
				require.ErrorIs(t, err, webanklive.ErrBadCallback, "%s=%q", name, changed)
			}
		}
	}
}

func TestVerifyCallback_RefusesForgeries(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewVerifier(t)
	credential, err := c.Credential(t.Context())
	require.NoError(t, err)
	signed := srv.CallbackQuery(clienttest.Order, "0", "99")
	twice := func(name string) url.Values {
		query := maps.Clone(signed)
		query[name] = []string{query.Get(name), query.Get(name)}
		return query
	}
	for name, query := range map[string]url.Values{
		"nothing":                    {},
		"code twice":                 twice("code"),
		"orderNo twice":              twice("orderNo"),
		"newSignature twice":         twice("newSignature"),
		"another order":              srv.CallbackQuery("order43", "0", "99"),
		"order in upper case":        clienttest.With(signed, "orderNo", strings.ToUpper(clienttest.Order)),
		"no code":                    without(signed, "code"),
		"code with a plus":           clienttest.With(signed, "code", "+0"),
		"code 00":                    clienttest.With(signed, "code", "00"),
		"code with a blank":          clienttest.With(signed, "code", "0 "),
		"code in full-width digits":  clienttest.With(signed, "code", "０"),
		"code of 17 digits":          clienttest.With(signed, "code", strings.Repeat("1", 17)),
		"no order":                   without(signed, "orderNo"),
		"unsigned success":           without(signed, "newSignature"),
		"success with an empty sign": clienttest.With(signed, "newSignature", ""),
		"newSign contradicts":        clienttest.With(signed, "newSign", strings.Repeat("A", 40)),
		"signature of 39 digits":     clienttest.With(signed, "newSignature", signed.Get("newSignature")[:39]),
		"the three-value signature from before 2018": clienttest.With(signed, "newSignature",
			webanklive.Sign(srv.AppID(), clienttest.Order, credential.SignTicket)),
		"the three-value signature under its old name": clienttest.With(without(signed, "newSignature"), "signature",
			webanklive.Sign(srv.AppID(), clienttest.Order, credential.SignTicket)),
		"signed with the access token": clienttest.With(signed, "newSignature",
			webanklive.Sign(srv.AppID(), clienttest.Order, credential.AccessToken, "0")),
		"signed with an empty ticket": clienttest.With(signed, "newSignature", webanklive.Sign(srv.AppID(), clienttest.Order, "", "0")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb, err := c.VerifyCallback(t.Context(), query, clienttest.Order)
			require.ErrorIs(t, err, webanklive.ErrBadCallback)
			assert.Nil(t, cb)
			assert.NotContains(t, err.Error(), "\n")
			assert.NotContains(t, err.Error(), signed.Get("newSignature"), "the error must not help a forger")
		})
	}
}

// The join of a signature is ambiguous: a failed callback for one order is, byte for byte, the signature of a passed
// one for another. Only the order that the session expects tells them apart.
func TestVerifyCallback_RefusesAmbiguousSignatures(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewVerifier(t)
	// The tickets for which it works are those that do not sort between order number and code.
	for credential, err := c.Credential(t.Context()); credential.SignTicket < "A"; credential, err = c.Credential(t.Context()) {
		require.NoError(t, err)
		c, srv = clienttest.NewVerifier(t)
	}
	for _, tc := range []struct{ order, code, forgedOrder string }{
		{"0123", "66660015", "12366660015"},
		{"012345", "3001", "123453001"},
	} {
		failed := srv.CallbackQuery(tc.order, tc.code, "")
		forged := clienttest.With(clienttest.With(failed, "orderNo", tc.forgedOrder), "code", "0")
		require.Equal(t, srv.CallbackQuery(tc.forgedOrder, "0", "").Get("newSignature"), forged.Get("newSignature"),
			"the forgery is a good one")

		_, err := c.VerifyCallback(t.Context(), forged, tc.order)
		require.ErrorIs(t, err, webanklive.ErrBadCallback)
		_, err = c.VerifyCallback(t.Context(), clienttest.With(failed, "code", "0"), tc.order)
		require.ErrorIs(t, err, webanklive.ErrBadCallback)
	}
}

func TestVerifyCallback_AnUnsignedFailureIsItsOwnError(t *testing.T) {
	t.Parallel()
	c, _ := clienttest.NewVerifier(t)
	for name, query := range map[string]url.Values{
		"no signature":    {"code": {"3001"}, "orderNo": {clienttest.Order}},
		"empty signature": {"code": {"3001"}, "orderNo": {clienttest.Order}, "newSignature": {""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb, err := c.VerifyCallback(t.Context(), query, clienttest.Order)
			require.ErrorIs(t, err, webanklive.ErrUnsignedCallback)
			assert.NotErrorIs(t, err, webanklive.ErrBadCallback)
			assert.Equal(t, &webanklive.Callback{OrderNo: clienttest.Order, Code: "3001"}, cb)
		})
	}
	_, err := c.VerifyCallback(t.Context(), url.Values{"code": {"3001"}, "orderNo": {"order43"}}, clienttest.Order)
	require.ErrorIs(t, err, webanklive.ErrBadCallback, "an unsigned failure of another order")
}

func TestVerifyCallback_NeedsAnExpectedOrder(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := clienttest.NewClient(t, srv)
	for _, expected := range []string{"", "a-b", strings.Repeat("a", 33)} {
		cb, err := c.VerifyCallback(t.Context(), url.Values{"code": {"0"}, "orderNo": {expected}}, expected)
		assert.Nil(t, cb)
		clienttest.RequireInvalid(t, err, "OrderNo")
	}
	assert.Zero(t, srv.Calls(livetest.AccessToken))
}

func TestVerifyCallback_AMalformedOneCostsNoNetwork(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := clienttest.NewClient(t, srv)
	_, err := c.VerifyCallback(t.Context(), url.Values{"code": {"x"}, "orderNo": {clienttest.Order}, "newSignature": {"y"}}, clienttest.Order)
	require.ErrorIs(t, err, webanklive.ErrBadCallback)
	assert.Zero(t, srv.Calls(livetest.AccessToken))
}

func TestVerifyCallback_AcceptsThePreviousTicketAfterARotation(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewVerifier(t)
	underway := srv.CallbackQuery(clienttest.Order, "0", "99")
	srv.Revoke()
	link, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user43"))
	require.NoError(t, err)
	require.NotEmpty(t, link)
	require.Len(t, srv.Mints(), 2)

	_, err = c.VerifyCallback(t.Context(), underway, clienttest.Order)
	require.NoError(t, err, "signed before the rotation")
	_, err = c.VerifyCallback(t.Context(), srv.CallbackQuery(clienttest.Order, "0", "99"), clienttest.Order)
	require.NoError(t, err, "signed after the rotation")
}

func TestVerifyCallback_ForgetsThePreviousTicketWhenItExpires(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := clienttest.NewClient(t, srv, clienttest.WithClock(http.DefaultTransport, srv.Now))
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	underway := srv.CallbackQuery(clienttest.Order, "0", "99")
	srv.Revoke()
	_, err = c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user43"))
	require.NoError(t, err)

	srv.Advance(40 * time.Minute)
	_, err = c.VerifyCallback(t.Context(), underway, clienttest.Order)
	require.NoError(t, err)
	srv.Advance(19 * time.Minute)
	_, err = c.VerifyCallback(t.Context(), underway, clienttest.Order)
	require.ErrorIs(t, err, webanklive.ErrBadCallback)
}

func TestClock_IsFollowedAsSoonAsItIsHeard(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := clienttest.NewClient(t, srv)
	srv.AddResult(clienttest.Order, livetest.Passing())
	_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user43"))
	require.NoError(t, err)
	srv.Advance(59*time.Minute + 30*time.Second) // half a minute before the tickets die
	_, err = c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order44", "user44"))
	require.NoError(t, err)
	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.NoError(t, err)
	assert.Len(t, srv.Mints(), 2, "the reply before told that the credential is past its limit")
	assert.Empty(t, srv.Refusals())
}

func TestVerifyCallback_AcceptsATicketThatAnotherMachineMinted(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	store := webanklive.NewMemoryStore()
	here, there := clienttest.NewClient(t, srv, webanklive.WithCredentialStore(store)), clienttest.NewClient(t, srv, webanklive.WithCredentialStore(store))
	_, err := here.Credential(t.Context())
	require.NoError(t, err)
	srv.Revoke()
	_, err = there.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user43"))
	require.NoError(t, err)

	_, err = here.VerifyCallback(t.Context(), srv.CallbackQuery(clienttest.Order, "0", "99"), clienttest.Order)
	require.NoError(t, err)
	assert.Len(t, srv.Mints(), 2)
}

func withBoth(query url.Values, name, value, other string) url.Values {
	query = clienttest.With(query, name, value)
	query[name] = append(query[name], other)
	return query
}

func without(query url.Values, name string) url.Values {
	query = maps.Clone(query)
	delete(query, name)
	return query
}

func TestVerifyCallback_AnOrderThatDiffersInCaseIsAnotherOrder(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := clienttest.NewClient(t, srv)
	_, err := c.Credential(t.Context())
	require.NoError(t, err)
	query := srv.CallbackQuery("ORDER1", "0", "95")
	_, err = c.VerifyCallback(t.Context(), query, "ORDER1")
	require.NoError(t, err)
	_, err = c.VerifyCallback(t.Context(), query, "order1")
	assert.ErrorIs(t, err, webanklive.ErrBadCallback)
}

func TestVerifyCallback_TellsEachCauseApart(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewVerifier(t)
	signed := srv.CallbackQuery(clienttest.Order, "0", "99")
	for name, tc := range map[string]struct {
		query url.Values
		cause error
	}{
		"nothing":                    {url.Values{}, webanklive.ErrMalformedCallback},
		"no order":                   {without(signed, "orderNo"), webanklive.ErrMalformedCallback},
		"an empty order":             {clienttest.With(signed, "orderNo", ""), webanklive.ErrMalformedCallback},
		"order twice":                {withBoth(signed, "orderNo", clienttest.Order, clienttest.Order), webanklive.ErrMalformedCallback},
		"order with a blank":         {clienttest.With(signed, "orderNo", clienttest.Order+" "), webanklive.ErrMalformedCallback},
		"order of 33 letters":        {clienttest.With(signed, "orderNo", strings.Repeat("a", 33)), webanklive.ErrMalformedCallback},
		"no code":                    {without(signed, "code"), webanklive.ErrMalformedCallback},
		"code twice":                 {withBoth(signed, "code", "0", "0"), webanklive.ErrMalformedCallback},
		"code is a word":             {clienttest.With(signed, "code", "OK"), webanklive.ErrMalformedCallback},
		"unsigned success":           {without(signed, "newSignature"), webanklive.ErrMalformedCallback},
		"signature twice":            {withBoth(signed, "newSignature", "A", "A"), webanklive.ErrMalformedCallback},
		"signature of 39 digits":     {clienttest.With(signed, "newSignature", strings.Repeat("A", 39)), webanklive.ErrMalformedCallback},
		"signature is not hex":       {clienttest.With(signed, "newSignature", strings.Repeat("Z", 40)), webanklive.ErrMalformedCallback},
		"newSign contradicts":        {clienttest.With(signed, "newSign", strings.Repeat("A", 40)), webanklive.ErrMalformedCallback},
		"another order":              {srv.CallbackQuery("order43", "0", "99"), webanklive.ErrOtherOrder},
		"another order, unsigned":    {url.Values{"code": {"3001"}, "orderNo": {"order43"}}, webanklive.ErrOtherOrder},
		"order in another case":      {clienttest.With(signed, "orderNo", strings.ToUpper(clienttest.Order)), webanklive.ErrOtherOrder},
		"another code":               {clienttest.With(signed, "code", "-5013"), webanklive.ErrBadSignature},
		"signature of another order": {clienttest.With(srv.CallbackQuery("order43", "0", "99"), "orderNo", clienttest.Order), webanklive.ErrBadSignature},
		"40 digits that are nothing": {clienttest.With(signed, "newSignature", strings.Repeat("A", 40)), webanklive.ErrBadSignature},
		"only the old signature": {
			clienttest.With(without(signed, "newSignature"), "signature", signed.Get("newSignature")), webanklive.ErrMalformedCallback},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb, err := c.VerifyCallback(t.Context(), tc.query, clienttest.Order)
			assert.Nil(t, cb)
			clienttest.RequireBadCallback(t, err, tc.cause)
			clienttest.RequireClass(t, err, nil)
		})
	}
}
