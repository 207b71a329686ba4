package webanklive_test

import (
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
	lower := strings.ToLower(signed.Get("newSignature"))
	for name, tc := range map[string]struct {
		query          url.Values
		code, liveRate string
	}{
		"passed":                               {signed, "0", "99.5"},
		"failed":                               {srv.CallbackQuery(clienttest.Order, "-5013", ""), "-5013", ""},
		"lower-case hexadecimal":               {clienttest.With(signed, "newSignature", lower), "0", "99.5"},
		"newSign instead of newSignature":      {clienttest.With(clienttest.With(signed, "newSign", signed.Get("newSignature")), "newSignature"), "0", "99.5"},
		"newSign beside an equal newSignature": {clienttest.With(signed, "newSign", lower), "0", "99.5"},
		"a gateway's own parameters":           {clienttest.With(clienttest.With(signed, "utm_source", "x"), "session", "y"), "0", "99.5"},
		"an old signature beside it": {
			clienttest.With(signed, "signature", webanklive.Sign(srv.AppID(), clienttest.Order, "another ticket")), "0", "99.5"},
		"two old signatures beside it": {clienttest.With(signed, "signature", "x", "y"), "0", "99.5"},
		"score is a text":              {clienttest.With(signed, "liveRate", "分数为空"), "0", "分数为空"},
		"score twice":                  {clienttest.With(signed, "liveRate", "99", "98"), "0", ""},
		"score of 33 bytes":            {clienttest.With(signed, "liveRate", strings.Repeat("9", 33)), "0", ""},
		"score with a line break":      {clienttest.With(signed, "liveRate", "99\nlevel=INFO"), "0", ""},
		"score that is no UTF-8":       {clienttest.With(signed, "liveRate", "9\xff"), "0", ""},
		"no score":                     {clienttest.With(signed, "liveRate"), "0", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb, err := c.VerifyCallback(t.Context(), tc.query, clienttest.Order)
			require.NoError(t, err)
			assert.Equal(t, &webanklive.Callback{OrderNo: clienttest.Order, Code: tc.code, LiveRate: tc.liveRate}, cb)
		})
	}
}

func TestVerifyCallback_RefusesAnyChangedByte(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewVerifier(t)
	for _, code := range []string{"0", "66660014"} {
		query := clienttest.With(clienttest.With(srv.CallbackQuery(clienttest.Order, code, ""), "liveRate"), "signature")
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
	credential := clienttest.Credential(t, c)
	signed := srv.CallbackQuery(clienttest.Order, "0", "99")
	signature := signed.Get("newSignature")
	with := func(name string, values ...string) url.Values { return clienttest.With(signed, name, values...) }
	threeValues := webanklive.Sign(srv.AppID(), clienttest.Order, credential.SignTicket) // as before 2018
	for name, tc := range map[string]struct {
		query url.Values
		cause error
	}{
		"nothing":                    {url.Values{}, webanklive.ErrMalformedCallback},
		"no order":                   {with("orderNo"), webanklive.ErrMalformedCallback},
		"an empty order":             {with("orderNo", ""), webanklive.ErrMalformedCallback},
		"order twice":                {with("orderNo", clienttest.Order, clienttest.Order), webanklive.ErrMalformedCallback},
		"order with a blank":         {with("orderNo", clienttest.Order+" "), webanklive.ErrMalformedCallback},
		"order of 33 letters":        {with("orderNo", strings.Repeat("a", 33)), webanklive.ErrMalformedCallback},
		"no code":                    {with("code"), webanklive.ErrMalformedCallback},
		"code twice":                 {with("code", "0", "0"), webanklive.ErrMalformedCallback},
		"code is a word":             {with("code", "OK"), webanklive.ErrMalformedCallback},
		"code with a plus":           {with("code", "+0"), webanklive.ErrMalformedCallback},
		"code with a blank":          {with("code", "0 "), webanklive.ErrMalformedCallback},
		"code in full-width digits":  {with("code", "０"), webanklive.ErrMalformedCallback},
		"code of 17 digits":          {with("code", strings.Repeat("1", 17)), webanklive.ErrMalformedCallback},
		"unsigned success":           {with("newSignature"), webanklive.ErrMalformedCallback},
		"success with an empty sign": {with("newSignature", ""), webanklive.ErrMalformedCallback},
		"signature twice":            {with("newSignature", signature, signature), webanklive.ErrMalformedCallback},
		"signature of 39 digits":     {with("newSignature", signature[:39]), webanklive.ErrMalformedCallback},
		"signature is not hex":       {with("newSignature", strings.Repeat("Z", 40)), webanklive.ErrMalformedCallback},
		"newSign contradicts":        {with("newSign", strings.Repeat("A", 40)), webanklive.ErrMalformedCallback},
		"only the old signature":     {clienttest.With(with("newSignature"), "signature", signature), webanklive.ErrMalformedCallback},
		"three values, old name":     {clienttest.With(with("newSignature"), "signature", threeValues), webanklive.ErrMalformedCallback},

		"another order":           {srv.CallbackQuery("order43", "0", "99"), webanklive.ErrOtherOrder},
		"another order, unsigned": {url.Values{"code": {"3001"}, "orderNo": {"order43"}}, webanklive.ErrOtherOrder},
		"order in another case":   {srv.CallbackQuery(strings.ToUpper(clienttest.Order), "0", "99"), webanklive.ErrOtherOrder},

		"another code":               {with("code", "-5013"), webanklive.ErrBadSignature},
		"code 00":                    {with("code", "00"), webanklive.ErrBadSignature},
		"signature of another order": {clienttest.With(srv.CallbackQuery("order43", "0", "99"), "orderNo", clienttest.Order), webanklive.ErrBadSignature},
		"40 digits that are nothing": {with("newSignature", strings.Repeat("A", 40)), webanklive.ErrBadSignature},
		"three values":               {with("newSignature", threeValues), webanklive.ErrBadSignature},
		"signed with the access token": {
			with("newSignature", webanklive.Sign(srv.AppID(), clienttest.Order, credential.AccessToken, "0")), webanklive.ErrBadSignature},
		"signed with an empty ticket": {
			with("newSignature", webanklive.Sign(srv.AppID(), clienttest.Order, "", "0")), webanklive.ErrBadSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cb, err := c.VerifyCallback(t.Context(), tc.query, clienttest.Order)
			assert.Nil(t, cb)
			clienttest.RequireBadCallback(t, err, tc.cause)
			clienttest.RequireClass(t, err, nil)
			assert.NotContains(t, err.Error(), "\n")
			assert.NotContains(t, err.Error(), signature, "the error must not help a forger")
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
	unsigned := url.Values{"code": {"3001"}, "orderNo": {clienttest.Order}}
	for _, query := range []url.Values{unsigned, clienttest.With(unsigned, "newSignature", "")} {
		cb, err := c.VerifyCallback(t.Context(), query, clienttest.Order)
		require.ErrorIs(t, err, webanklive.ErrUnsignedCallback)
		assert.NotErrorIs(t, err, webanklive.ErrBadCallback)
		assert.Equal(t, &webanklive.Callback{OrderNo: clienttest.Order, Code: "3001"}, cb)
	}
}

func TestVerifyCallback_NeedsAnExpectedOrder(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	for _, expected := range []string{"", "a-b", strings.Repeat("a", 33)} {
		cb, err := c.VerifyCallback(t.Context(), url.Values{"code": {"0"}, "orderNo": {expected}}, expected)
		assert.Nil(t, cb)
		clienttest.RequireInvalid(t, err, "OrderNo")
	}
	assert.Zero(t, srv.Calls(livetest.AccessToken))
}

func TestVerifyCallback_AMalformedOneCostsNoNetwork(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	_, err := c.VerifyCallback(t.Context(), url.Values{"code": {"x"}, "orderNo": {clienttest.Order}, "newSignature": {"y"}}, clienttest.Order)
	require.ErrorIs(t, err, webanklive.ErrBadCallback)
	assert.Zero(t, srv.Calls(livetest.AccessToken))
}

func TestVerifyCallback_AcceptsThePreviousTicketAfterARotationUntilItExpires(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	c := clienttest.NewClient(t, srv, clienttest.WithClock(http.DefaultTransport, srv.Now))
	clienttest.Credential(t, c)
	underway := srv.CallbackQuery(clienttest.Order, "0", "99")
	srv.Revoke()
	_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user43"))
	require.NoError(t, err)
	require.Len(t, srv.Mints(), 2)

	_, err = c.VerifyCallback(t.Context(), srv.CallbackQuery(clienttest.Order, "0", "99"), clienttest.Order)
	require.NoError(t, err, "signed after the rotation")
	srv.Advance(40 * time.Minute)
	_, err = c.VerifyCallback(t.Context(), underway, clienttest.Order)
	require.NoError(t, err, "signed before the rotation")
	srv.Advance(19 * time.Minute)
	_, err = c.VerifyCallback(t.Context(), underway, clienttest.Order)
	require.ErrorIs(t, err, webanklive.ErrBadCallback)
}

func TestVerifyCallback_AcceptsATicketThatAnotherMachineMinted(t *testing.T) {
	t.Parallel()
	srv := livetest.NewServer(t)
	store := webanklive.NewMemoryStore()
	here, there := clienttest.NewClient(t, srv, webanklive.WithCredentialStore(store)), clienttest.NewClient(t, srv, webanklive.WithCredentialStore(store))
	clienttest.Credential(t, here)
	srv.Revoke()
	_, err := there.BuildLiveLoginURL(t.Context(), clienttest.Launch("order43", "user43"))
	require.NoError(t, err)

	_, err = here.VerifyCallback(t.Context(), srv.CallbackQuery(clienttest.Order, "0", "99"), clienttest.Order)
	require.NoError(t, err)
	assert.Len(t, srv.Mints(), 2)
}
