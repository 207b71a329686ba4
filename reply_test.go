package webanklive_test

// Which replies pass, and which class and text the others have.

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

// A reply to getLiveResult for order42, of a client whose app ID is app.
type resultReply struct {
	status int
	body   string
	want   error  // nil: passed
	text   string // in the error
}

var resultReplies = func() map[string]resultReply {
	unavailable, notPassed := webanklive.ErrUnavailable, webanklive.ErrNotPassed
	const (
		noOrder   = "code 0, but the reply names no order"
		otherApp  = "code 0, but the reply names another app ID"
		badResult = "code 0, but result is not an object"
		badCode   = "the reply's code is not a number"
		other     = "the reply is about another order"
		noJSON    = "the reply is not a JSON object"
	)
	return map[string]resultReply{
		// A pass names its order.
		"flat":                            {200, `{"code":"0","orderNo":"order42"}`, nil, ""},
		"number":                          {200, `{"code":0,"orderNo":"order42"}`, nil, ""},
		"the other spelling":              {200, `{"code":"0","order_no":"order42"}`, nil, ""},
		"both spellings":                  {200, `{"code":"0","orderNo":"order42","order_no":"order42"}`, nil, ""},
		"blanks around":                   {200, ` {"code":" 0 ","orderNo":" order42\n"} ` + "\n", nil, ""},
		"byte order mark":                 {200, "\ufeff" + `{"code":"0","orderNo":"order42"}`, nil, ""},
		"nested":                          {200, `{"code":"0","result":{"orderNo":"order42"}}`, nil, ""},
		"nested code only":                {200, `{"result":{"code":"0"},"orderNo":"order42"}`, nil, ""},
		"both levels":                     {200, `{"code":"0","order_no":"order42","result":{"code":0,"orderNo":"order42"}}`, nil, ""},
		"success false means nothing":     {200, `{"code":"0","success":false,"orderNo":"order42","result":{"success":false}}`, nil, ""},
		"created":                         {201, `{"code":"0","orderNo":"order42"}`, nil, ""},
		"our app ID":                      {200, `{"code":"0","orderNo":"order42","app_id":"app"}`, nil, ""},
		"our app ID, twice":               {200, `{"code":"0","orderNo":"order42","app_id":"app","result":{"appId":"app"}}`, nil, ""},
		"app ID null or empty":            {200, `{"code":"0","orderNo":"order42","app_id":null,"appId":" "}`, nil, ""},
		"result null":                     {200, `{"code":"0","orderNo":"order42","result":null}`, nil, ""},
		"result empty":                    {200, `{"code":"0","orderNo":"order42","result":""}`, nil, ""},
		"result without a field":          {200, `{"code":"0","orderNo":"order42","result":{}}`, nil, ""},
		"order null inside":               {200, `{"code":"0","orderNo":"order42","result":{"orderNo":null,"order_no":""}}`, nil, ""},
		"code null inside":                {200, `{"code":"0","orderNo":"order42","result":{"code":null}}`, nil, ""},
		"odd types where nothing decides": {200, `{"code":"0","orderNo":"order42","msg":{},"bizSeqNo":[],"liveRate":true,"occurredTime":{},"success":[],"photo":7}`, nil, ""},
		"doubled where nothing decides":   {200, `{"code":"0","orderNo":"order42","msg":"a","msg":"b","liveRate":1,"liveRate":2}`, nil, ""},
		"a message of 5000 bytes":         {200, `{"code":"0","orderNo":"order42","msg":"` + strings.Repeat("x", 5000) + `"}`, nil, ""},
		"fields that the vendor adds":     {200, `{"new":[{"code":"1","orderNo":"x"}],"code":"0","orderNo":"order42"}`, nil, ""},
		"bare":                            {200, `{"code":0}`, unavailable, noOrder},
		"a health page":                   {200, `{"code":0,"message":"ok","data":{}}`, unavailable, noOrder},
		"result null and no order":        {200, `{"code":"0","msg":"ok","result":null}`, unavailable, noOrder},
		"an order elsewhere":              {200, `{"code":"0","data":{"orderNo":"order42"}}`, unavailable, noOrder},
		"an order too deep":               {200, `{"code":"0","result":{"result":{"orderNo":"order42"}}}`, unavailable, noOrder},
		"an empty order":                  {200, `{"code":"0","orderNo":"","order_no":null}`, unavailable, noOrder},
		"an order in another spelling":    {200, `{"code":"0","OrderNo":"order42","orderno":"order42","orderId":"order42"}`, unavailable, noOrder},
		"a serial number is no order":     {200, `{"code":"0","bizSeqNo":"1808"}`, unavailable, noOrder},
		"success for another order":       {200, `{"code":"0","orderNo":"order43"}`, unavailable, other},
		"failure for another order":       {200, `{"code":"-5013","order_no":"order43"}`, unavailable, other},
		"another order inside":            {200, `{"code":"0","orderNo":"order42","result":{"order_no":"order43"}}`, unavailable, other},
		"another order under both names":  {200, `{"code":"0","orderNo":"order42","order_no":"order43"}`, unavailable, other},
		"order in another case":           {200, `{"code":"0","orderNo":"Order42"}`, unavailable, other},
		"an order that is a list":         {200, `{"code":"0","orderNo":["order42"],"order_no":"order42"}`, unavailable, other},
		"order twice":                     {200, `{"code":"0","orderNo":"order42","orderNo":"order42"}`, unavailable, other},
		"another app ID":                  {200, `{"code":"0","orderNo":"order42","app_id":"another"}`, unavailable, otherApp},
		"another app ID, other spelling":  {200, `{"code":"0","orderNo":"order42","appId":"APP"}`, unavailable, otherApp},
		"another app ID inside":           {200, `{"code":"0","orderNo":"order42","app_id":"app","result":{"app_id":"another"}}`, unavailable, otherApp},
		"an app ID that is an object":     {200, `{"code":"0","orderNo":"order42","app_id":{}}`, unavailable, otherApp},
		"result is a text":                {200, `{"code":"0","orderNo":"order42","result":"{\"code\":\"-5016\"}"}`, unavailable, badResult},
		"result is a blank":               {200, `{"code":"0","orderNo":"order42","result":" "}`, unavailable, badResult},
		"result is a list":                {200, `{"code":"0","orderNo":"order42","result":[{"code":"0","orderNo":"order42"}]}`, unavailable, badResult},
		"result is an empty list":         {200, `{"code":"0","orderNo":"order42","result":[]}`, unavailable, badResult},
		"result is a number":              {200, `{"code":"0","orderNo":"order42","result":0}`, unavailable, badResult},
		"result is true":                  {200, `{"code":"0","orderNo":"order42","result":true}`, unavailable, badResult},
		"result twice":                    {200, `{"code":"0","orderNo":"order42","result":{},"result":{}}`, unavailable, noJSON},
		"success with status 500":         {500, `{"code":"0","orderNo":"order42"}`, unavailable, "code 0 with an HTTP error status"},
		"success with status 404":         {404, `{"code":"0","orderNo":"order42"}`, unavailable, "code 0 with an HTTP error status"},
		"bare with status 503":            {503, `{"code":"0"}`, unavailable, "code 0 with an HTTP error status"},

		// A failure at either level is a failure.
		"known code":                      {200, `{"code":"-5013"}`, notPassed, "code -5013"},
		"nested failure":                  {200, `{"code":"0","result":{"code":"66660014"}}`, notPassed, "code 66660014"},
		"outer failure":                   {200, `{"code":"66660014","result":{"code":"0"}}`, notPassed, "code 66660014"},
		"failure with status 400":         {400, `{"code":"66660014"}`, notPassed, "code 66660014"},
		"failure with status 500":         {500, `{"code":"66660014"}`, notPassed, "code 66660014"},
		"failure beside a word":           {200, `{"code":"OK","result":{"code":"66660014"}}`, notPassed, "code 66660014"},
		"failure beside an odd order":     {200, `{"code":"66660014","orderNo":{},"order_no":[]}`, notPassed, "code 66660014"},
		"not ready beside an odd order":   {200, `{"code":"66660011","orderNo":true}`, webanklive.ErrNotReady, "code 66660011"},
		"credential beside an odd order":  {200, `{"code":"15","orderNo":[]}`, webanklive.ErrCredential, "code 15"},
		"failure with an unreadable rest": {200, `{"code":"66660014","result":[],"app_id":"another","msg":{}}`, notPassed, "code 66660014"},
		"not ready":                       {200, `{"code":"66660011"}`, webanklive.ErrNotReady, "code 66660011"},
		"throttled":                       {200, `{"code":"999995"}`, webanklive.ErrThrottled, "code 999995"},
		"throttled with status 429":       {429, `{"code":"400506"}`, webanklive.ErrThrottled, "code 400506"},
		"unavailable":                     {200, `{"code":"999999"}`, unavailable, "code 999999"},
		"credential":                      {200, `{"code":"400101"}`, webanklive.ErrCredential, "code 400101"},
		"credential beside odd types":     {200, `{"code":"400101","tickets":"","msg":[],"bizSeqNo":{}}`, webanklive.ErrCredential, "code 400101"},
		"invalid request":                 {200, `{"code":"66660000"}`, webanklive.ErrInvalidRequest, "code 66660000"},
		"account":                         {200, `{"code":"66660002"}`, webanklive.ErrAccount, "code 66660002"},
		"account with status 403":         {403, `{"code":"66660002"}`, webanklive.ErrAccount, "code 66660002"},

		// An unknown code may be a gateway's.
		"unknown code of this order":       {200, `{"code":"123456789","orderNo":"order42"}`, notPassed, "code 123456789"},
		"unknown code of this order below": {200, `{"code":"123456789","result":{"order_no":"order42"}}`, notPassed, "code 123456789"},
		"unknown code, serial number":      {200, `{"code":"-99999","bizSeqNo":"1808"}`, notPassed, "code -99999"},
		"unknown code, number for serial":  {201, `{"code":-99999,"bizSeqNo":1808}`, notPassed, "code -99999"},
		"unknown code, odd serial number":  {200, `{"code":"-99999","bizSeqNo":{}}`, unavailable, "code -99999"},
		"unknown code alone":               {200, `{"code":"123456789","msg":"x"}`, unavailable, "code 123456789"},
		"a gateway's 500 with status 200":  {200, `{"code":500}`, unavailable, "code 500"},
		"a gateway's 200":                  {200, `{"code":200,"message":"success"}`, unavailable, "code 200"},
		"a gateway's 429":                  {429, `{"code":429,"msg":"slow down"}`, unavailable, "code 429"},
		"a gateway's 403":                  {403, `{"code":"403","msg":"forbidden"}`, unavailable, "code 403"},
		"unknown code with status 500":     {500, `{"code":"123456789","orderNo":"order42"}`, unavailable, "code 123456789"},
		"unknown code with status 400":     {400, `{"code":"-78","orderNo":"order42","bizSeqNo":"1"}`, unavailable, "code -78"},
		"code is a word":                   {200, `{"code":"OK","orderNo":"order42"}`, unavailable, badCode},
		"AccessDenied":                     {403, `{"code":"AccessDenied","msg":"x"}`, unavailable, "code AccessDenied"},
		"RATE_LIMITED":                     {429, `{"code":"RATE_LIMITED"}`, unavailable, badCode},
		"code true":                        {200, `{"code":true,"orderNo":"order42"}`, unavailable, badCode},
		"code false":                       {200, `{"code":false,"orderNo":"order42"}`, unavailable, badCode},
		"code {}":                          {200, `{"code":{},"orderNo":"order42"}`, unavailable, badCode},
		"code [0]":                         {200, `{"code":[0],"orderNo":"order42"}`, unavailable, badCode},
		"code 0.0":                         {200, `{"code":0.0,"orderNo":"order42"}`, unavailable, badCode},
		"code 1e3":                         {200, `{"code":1e3,"orderNo":"order42"}`, unavailable, badCode},
		"code +0":                          {200, `{"code":"+0","orderNo":"order42"}`, unavailable, badCode},
		"code of 17 digits":                {200, `{"code":"12345678901234567","orderNo":"order42"}`, unavailable, badCode},
		"code in full-width digits":        {200, `{"code":"０","orderNo":"order42"}`, unavailable, badCode},
		"code with a control character":    {200, `{"code":"0\u0000","orderNo":"order42"}`, unavailable, badCode},
		"code 00":                          {200, `{"code":"00","orderNo":"order42"}`, notPassed, "code 00"},
		"code 00 alone":                    {200, `{"code":"00"}`, unavailable, "code 00"},
		"code -0":                          {200, `{"code":-0,"orderNo":"order42"}`, notPassed, "code -0"},
		"0 beside a word":                  {200, `{"code":"OK","orderNo":"order42","result":{"code":"0"}}`, unavailable, badCode},
		"0 beside a word inside":           {200, `{"code":"0","orderNo":"order42","result":{"code":"OK"}}`, unavailable, badCode},
		"0 beside an object":               {200, `{"code":"0","orderNo":"order42","result":{"code":{}}}`, unavailable, badCode},
		"code twice":                       {200, `{"code":"0","code":"0","orderNo":"order42"}`, unavailable, badCode},
		"code twice, once null":            {200, `{"code":null,"code":"0","orderNo":"order42"}`, unavailable, badCode},

		// No reply at all.
		"no code":              {200, `{"msg":"ok","orderNo":"order42"}`, unavailable, "the reply has no code"},
		"code null":            {200, `{"code":null,"orderNo":"order42"}`, unavailable, "the reply has no code"},
		"code empty":           {200, `{"code":" ","orderNo":"order42"}`, unavailable, "the reply has no code"},
		"code only too deep":   {200, `{"result":{"result":{"code":"0"}},"orderNo":"order42"}`, unavailable, "the reply has no code"},
		"empty object":         {200, `{}`, unavailable, "the reply has no code"},
		"empty body":           {200, ``, unavailable, noJSON},
		"array":                {200, `[{"code":"0","orderNo":"order42"}]`, unavailable, noJSON},
		"cut":                  {200, `{"code":"0","orderNo":"order42"`, unavailable, noJSON},
		"something after it":   {200, `{"code":"0","orderNo":"order42"}{}`, unavailable, noJSON},
		"HTML":                 {200, `<html>0</html>`, unavailable, noJSON},
		"HTML with status 502": {502, `<html>Bad Gateway</html>`, unavailable, noJSON},
	}
}()

func TestGetLiveResult_ErrorIsNilOnlyWhenThePersonPassed(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, len(resultReplies), 60)
	for name, tc := range resultReplies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := clienttest.NewMock(t, httpmock.NewStringResponder(tc.status, tc.body))
			res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
			if tc.want == nil {
				require.NoError(t, err)
				assert.Equal(t, "0", res.Code)
			} else {
				clienttest.RequireClass(t, err, tc.want)
				require.ErrorContains(t, err, tc.text)
				assert.NotContains(t, err.Error(), "invalid character", "encoding/json quotes the body")
			}
			require.Equal(t, tc.want == nil || tc.want == webanklive.ErrNotPassed, res != nil, "result: %v", res) //nolint:errorlint // the table's own
			if res != nil {
				assert.Equal(t, clienttest.Order, res.OrderNo)
			}

			_, streamed := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: io.Discard})
			if !strings.Contains(tc.body, "photo") {
				assert.Equal(t, err == nil, streamed == nil, "both calls have the same rules")
			}
		})
	}
}

// The fake brings the same bad replies to a partner's own tests.
func TestGetLiveResult_TakesNoneOfTheFakesBadResultsForAPass(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t, webanklive.WithMaxRetries(0))
	srv.AddResult(clienttest.Order, livetest.Passing())
	for _, bad := range livetest.BadResults(srv.AppID(), clienttest.Order) {
		srv.Fail(livetest.LiveResult, bad.Fault, 1)
		res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.Error(t, err, bad.Name)
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.Nil(t, res, bad.Name)
	}
}

// A field of result that can be read takes the place of the one beside result.
func TestGetLiveResult_ReadsEachFieldFromResultFirst(t *testing.T) {
	t.Parallel()
	c, _ := clienttest.NewMock(t, httpmock.NewStringResponder(200, `{"code":"0","msg":"top","bizSeqNo":"top","liveRate":"1","orderNo":"order42","occurredTime":"20180810150152",`+
		`"result":{"msg":{},"occurredTime":" ","bizSeqNo":"inner","liveRate":99.5}}`))
	res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.NoError(t, err)
	assert.Equal(t, []string{"top", "inner", "99.5", "20180810150152"}, []string{res.Message, res.BizSeqNo, res.LiveRate, res.OccurredTime})
}

// What decides nothing is empty when it cannot be read, and a word is no picture.
func TestGetLiveResult_WhatCannotBeReadIsEmpty(t *testing.T) {
	t.Parallel()
	bodies := []string{}
	for _, odd := range []string{`{}`, `[]`, `true`, `null`, `" "`, `"` + strings.Repeat("x", 5000) + `"`} {
		bodies = append(bodies, fmt.Sprintf(`{"code":"0","orderNo":"order42","msg":%s,"bizSeqNo":%[1]s,"liveRate":%[1]s,"occurredTime":%[1]s}`, odd))
	}
	for _, word := range []string{"null", "none", "NULL", "no", strings.Repeat("A", 84), "data:image/jpeg;base64,null", "data:image/jpeg;base64,"} {
		bodies = append(bodies, fmt.Sprintf(`{"code":"0","orderNo":"order42","photo":%q,"result":{"video":%[1]q}}`, word))
	}
	want := &webanklive.LiveResult{Code: "0", OrderNo: clienttest.Order}
	for _, body := range bodies {
		c, _ := clienttest.NewMock(t, httpmock.NewStringResponder(200, body))
		res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
		require.NoError(t, err, body)
		assert.Equal(t, want, res, body)

		var media bytes.Buffer
		res, err = c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: &media, Video: &media})
		require.NoError(t, err, body)
		assert.Equal(t, want, res, body)
		assert.Zero(t, media.Len(), body)
	}
}

// A word in the place of a ticket does not hide the code beside it.
func TestReply_ACodeBesideOddTypesIsHeard(t *testing.T) {
	t.Parallel()
	for _, tickets := range []string{`""`, `{}`, `"none"`, `7`, `[[]]`, `[{"value":[]}]`} {
		c, srv := clienttest.NewServed(t, webanklive.WithMaxRetries(0))
		clienttest.Credential(t, c)
		srv.Rotate() // so that the one that is dropped is not the newest
		srv.Fail(livetest.NonceTicket, livetest.Fault{Body: `{"code":"15","msg":[],"tickets":` + tickets + `}`}, 1)
		_, err := c.BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
		require.NoError(t, err, tickets)
		assert.Len(t, srv.Mints(), 2, "%s: the credential was dropped", tickets)
	}
}
