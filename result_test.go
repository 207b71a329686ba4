package webanklive_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/internal/clienttest"
	"github.com/webanklive/webanklive/livetest"
)

func resultCalls(mock *httpmock.MockTransport) int {
	return mock.GetCallCountInfo()["GET https://idasc.webank.com/api/server/getLiveResult"]
}

var everyStyle = append(livetest.Styles(), livetest.NamedStyle{Name: "byte order mark", Style: livetest.Style{Mark: true}})

func TestGetLiveResult_EveryReplyStyleGivesTheSame(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	person := livetest.Passing()
	person.LiveRate = "98.75"
	srv.AddResult(clienttest.Order, person)
	srv.AddResult("failed1", livetest.Failing("66660014"))

	ask := func(file webanklive.GetFile) *webanklive.LiveResult {
		res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: file})
		require.NoError(t, err)
		assert.Regexp(t, `^[0-9a-z]{32}$`, res.BizSeqNo)
		res.BizSeqNo = ""
		return res
	}
	want := ask(webanklive.GetFileAll)
	assert.Equal(t, "0", want.Code)
	assert.Equal(t, clienttest.Order, want.OrderNo)
	assert.Equal(t, srv.AppID(), want.AppID)
	assert.Equal(t, "98.75", want.LiveRate)
	assert.Equal(t, person.Photo, want.Photo)
	assert.Equal(t, person.Video, want.Video)
	assert.Equal(t, int64(len(person.Photo)), want.PhotoSize)
	assert.Equal(t, int64(len(person.Video)), want.VideoSize)
	assert.Equal(t, "image/jpeg", want.PhotoType)
	assert.Equal(t, "video/mp4", want.VideoType)
	assert.Len(t, want.OccurredTime, 14)
	assert.WithinDuration(t, time.Now(), want.OccurredAt, time.Minute)

	for _, style := range everyStyle {
		srv.SetStyle(style.Style)
		assert.Equal(t, want, ask(webanklive.GetFileAll), style.Name)

		for file, has := range map[webanklive.GetFile][2][]byte{
			webanklive.GetFilePhoto: {want.Photo, nil}, webanklive.GetFileVideo: {nil, want.Video}, webanklive.GetFileNone: {},
		} {
			got := ask(file)
			assert.Equal(t, has, [2][]byte{got.Photo, got.Video}, style.Name)
			assert.Equal(t, int64(len(has[0])+len(has[1])), got.PhotoSize+got.VideoSize, style.Name)
		}

		var photo, video bytes.Buffer
		streamed, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: &photo, Video: &video})
		require.NoError(t, err, style.Name)
		assert.Equal(t, person.Photo, photo.Bytes(), style.Name)
		assert.Equal(t, person.Video, video.Bytes(), style.Name)
		streamed.BizSeqNo = ""
		same := *want
		same.Photo, same.Video = nil, nil
		assert.Equal(t, &same, streamed, style.Name)

		failed, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "failed1"})
		require.ErrorIs(t, err, webanklive.ErrNotPassed, style.Name)
		assert.Equal(t, "66660014", failed.Code, style.Name)
		_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "nobody"})
		require.ErrorIs(t, err, webanklive.ErrNotReady, style.Name)
	}
	assert.Len(t, srv.Mints(), 1, "every style of token and ticket reply is understood")
}

func TestGetLiveResult_SendsEverySignedValueAndAsksForNoFileByItself(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	srv.AddResult(clienttest.Order, livetest.Passing())
	_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.NoError(t, err)
	sent := srv.Requests(livetest.LiveResult)[0].Query
	for _, name := range []string{"app_id", "order_no", "version", "nonce", "sign"} {
		assert.NotEmpty(t, sent.Get(name), name)
	}
	assert.NotContains(t, sent, "get_file")
}

func TestMint_UnderstandsEveryReplyStyle(t *testing.T) {
	t.Parallel()
	for _, style := range everyStyle {
		srv := livetest.NewServer(t)
		srv.SetStyle(style.Style)
		_, err := clienttest.NewClient(t, srv).BuildLiveLoginURL(t.Context(), clienttest.Launch(clienttest.Order, "user"))
		require.NoError(t, err, style.Name)
	}
}

func TestGetLiveResult_OccurredAtIsBeijingTimeOrZero(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Time{
		"20180810150152": time.Date(2018, 8, 10, 7, 1, 52, 0, time.UTC),
		"2018-08-10":     {},
		"":               {},
	} {
		c, _ := clienttest.NewMock(t, httpmock.NewStringResponder(200, `{"code":"0","orderNo":"order42","occurredTime":"`+text+`"}`))
		res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
		require.NoError(t, err)
		assert.True(t, want.Equal(res.OccurredAt), "%q: %v", text, res.OccurredAt)
		assert.Equal(t, text, res.OccurredTime)
	}
}

func TestGetLiveResult_RefusesInvalidRequestsBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	c, mock := clienttest.NewMock(t, httpmock.NewStringResponder(200, `{"code":"0"}`))
	_, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: "a b", GetFile: "4", WaitForMedia: -1})
	clienttest.RequireInvalid(t, err, "OrderNo", "GetFile", "WaitForMedia")
	_, err = c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{WaitForMedia: -1})
	clienttest.RequireInvalid(t, err, "OrderNo", "Photo and Video", "WaitForMedia")
	assert.Zero(t, mock.GetTotalCallCount())
}

func TestGetLiveResult_BrokenMediaOfAPersonWhoPassedAreAnErrorBesideTheResult(t *testing.T) {
	t.Parallel()
	photo := base64.StdEncoding.EncodeToString(livetest.SamplePhoto())
	for name, tc := range map[string]struct {
		body  string
		named string
	}{
		"corrupt":          {`{"code":"0","orderNo":"order42","photo":"` + photo[:400] + `!!` + photo[400:] + `"}`, `"photo"`},
		"code after it":    {`{"photo":"` + photo[:400] + `!!","code":"0","orderNo":"order42"}`, `"photo"`},
		"corrupt nested":   {`{"code":"0","result":{"orderNo":"order42","video":"AAA=AAAA"}}`, `"video"`},
		"cut":              {`{"code":"0","orderNo":"order42","photo":"` + photo[:400], `"photo"`},
		"not a string":     {`{"code":"0","order_no":"order42","photo":{"data":"AAAA"}}`, `"photo"`},
		"given twice":      {`{"code":"0","orderNo":"order42","photo":"` + clienttest.SixtyFour + `","result":{"photo":"` + clienttest.SixtyFour + `"}}`, `"photo"`},
		"URL-safe Base64":  {`{"code":"0","order_no":"order42","photo":"_-_-"}`, `"photo"`},
		"a lost plus":      {`{"code":"0","order_no":"order42","photo":"` + photo[:400] + ` ` + photo[401:] + `"}`, `"photo"`},
		"wrong characters": {`{"code":"0","order_no":"order42","photo":"分数为空"}`, `"photo"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, mock := clienttest.NewMock(t, httpmock.NewStringResponder(200, tc.body))
			res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
			require.ErrorIs(t, err, webanklive.ErrMedia)
			require.ErrorContains(t, err, tc.named)
			require.ErrorContains(t, err, "offset")
			assert.False(t, webanklive.Retryable(err))
			require.NotNil(t, res, "the result is returned along with it")
			assert.Equal(t, "0", res.Code)
			if name != "given twice" { // where the first stays
				assert.Nil(t, res.Photo)
			}
			assert.Equal(t, 1, resultCalls(mock))

			res, err = c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: io.Discard, Video: io.Discard})
			require.ErrorIs(t, err, webanklive.ErrMedia)
			assert.Equal(t, "0", res.Code)
		})
	}
}

// Without a code nobody passed, so the error must not say that somebody did.
func TestGetLiveResult_BrokenMediaBeforeTheCodeAreNoVerdict(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"photo":"` + clienttest.SixtyFour, `{"photo":"!!"}`, `{"photo":"` + clienttest.SixtyFour + `"`, `{"code":"0","photo":"` + clienttest.SixtyFour,
		`{"code":"0","photo":"!!"}`, `{"code":"0","orderNo":"order42","app_id":"another","photo":"!!"}`} {
		c, _ := clienttest.NewMock(t, httpmock.NewStringResponder(200, body))
		res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
		clienttest.RequireClass(t, err, webanklive.ErrUnavailable)
		assert.NotErrorIs(t, err, webanklive.ErrMedia)
		assert.Nil(t, res)
	}
}

func TestGetLiveResult_TheVerdictMattersMoreThanBrokenMedia(t *testing.T) {
	t.Parallel()
	c, _ := clienttest.NewMock(t, httpmock.NewStringResponder(200, `{"photo":"!!","code":"66660014"}`))
	res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileAll})
	clienttest.RequireClass(t, err, webanklive.ErrNotPassed)
	assert.Equal(t, "66660014", res.Code)
}

func TestWithMaxResponseBytes_TakesExactlyTheLimitAndNotOneByteMore(t *testing.T) {
	t.Parallel()
	body := `{"code":"0","orderNo":"order42","photo":"` + strings.Repeat("QUJD", 1000) + `"}`
	whole := int64(len(body))
	for limit, passes := range map[int64]bool{math.MaxInt64: true, whole: true, whole - 1: false, 100: false} {
		c, mock := clienttest.NewMock(t, httpmock.NewStringResponder(200, body), webanklive.WithMaxResponseBytes(limit), webanklive.WithMaxRetries(2))
		res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFilePhoto})
		if passes {
			require.NoError(t, err)
			assert.Equal(t, bytes.Repeat([]byte("ABC"), 1000), res.Photo)
		} else {
			require.ErrorContains(t, err, "longer than the limit", "%d bytes", limit)
		}
		assert.Equal(t, 1, resultCalls(mock), "asking again would bring the same bytes")
	}
}

func TestStreamLiveMedia_IsNotRepeatedOnceAByteWasWritten(t *testing.T) {
	t.Parallel()
	half := `{"code":"0","orderNo":"order42","video":"` + strings.Repeat("QUJD", 100_000)
	c, mock := clienttest.NewMock(t, httpmock.NewStringResponder(200, half), webanklive.WithMaxRetries(2))
	var out bytes.Buffer
	res, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Video: &out})
	require.ErrorIs(t, err, webanklive.ErrMedia)
	assert.Equal(t, int64(out.Len()), res.VideoSize)
	assert.NotZero(t, out.Len())
	assert.Equal(t, 1, resultCalls(mock))

	_, err = c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order, GetFile: webanklive.GetFileVideo})
	require.ErrorIs(t, err, webanklive.ErrMedia)
	assert.Equal(t, 1+3, resultCalls(mock), "into memory a cut reply may be asked for again")
}

func TestStreamLiveMedia_IsNotRepeatedWithAnotherCredentialOnceAByteWasWritten(t *testing.T) {
	t.Parallel()
	c, srv := clienttest.NewServed(t)
	srv.AddResult(clienttest.Order, livetest.Passing())
	srv.Fail(livetest.LiveResult, livetest.Fault{Body: `{"photo":"` + clienttest.SixtyFour + `","code":"15"}`}, 1)
	var out bytes.Buffer
	_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: &out})
	clienttest.RequireClass(t, err, webanklive.ErrCredential)
	assert.Equal(t, 64, out.Len())
	assert.Equal(t, 1, srv.Calls(livetest.LiveResult))
}

func TestGetLiveResult_EchoesNoSecret(t *testing.T) {
	t.Parallel()
	c, _ := clienttest.NewMock(t, func(req *http.Request) (*http.Response, error) {
		sign := req.URL.Query().Get("sign")
		return httpmock.NewJsonResponse(200, map[string]string{
			"code": "-5013", "msg": sign, "app_id": sign, "liveRate": "1" + sign, "occurredTime": sign, "bizSeqNo": "secret TICKET TOKEN"})
	})
	res, err := c.GetLiveResult(t.Context(), webanklive.LiveResultRequest{OrderNo: clienttest.Order})
	require.ErrorIs(t, err, webanklive.ErrNotPassed)
	assert.Equal(t, []string{"***", "***", "*** *** ***"}, []string{res.Message, res.AppID, res.BizSeqNo})
	assert.NotRegexp(t, `[0-9A-F]{20}|secret|TICKET|TOKEN`, fmt.Sprint(res))
}

var errDiskFull = errors.New("no space left on device")

func TestStreamLiveMedia_AWritersErrorComesBackOutsideAllClassesOnOneLine(t *testing.T) {
	t.Parallel()
	full := clienttest.WriterFunc(func([]byte) (int, error) { return 0, errors.Join(errDiskFull, errors.New("and more")) })
	for _, body := range []string{`{"code":"0","photo":"` + clienttest.SixtyFour + `"}`, `{"photo":"` + clienttest.SixtyFour + `","code":"0"}`} {
		c, mock := clienttest.NewMock(t, httpmock.NewStringResponder(200, body), webanklive.WithMaxRetries(2))
		_, err := c.StreamLiveMedia(t.Context(), webanklive.LiveMediaRequest{OrderNo: clienttest.Order, Photo: full})
		require.ErrorIs(t, err, errDiskFull)
		clienttest.RequireClass(t, err, nil)
		assert.NotErrorIs(t, err, webanklive.ErrMedia)
		assert.NotContains(t, err.Error(), "\n")
		assert.NotContains(t, fmt.Sprintf("%+v", errors.Unwrap(err)), "\n")
		assert.Equal(t, 1, resultCalls(mock))
	}
}

func TestLiveResult_PrintsAndMarshalsWithoutTheFace(t *testing.T) {
	t.Parallel()
	res := webanklive.LiveResult{
		Code: "0", OrderNo: clienttest.Order, Photo: []byte("FACE"), PhotoSize: 4, PhotoType: "image/jpeg", Video: []byte("FILM"), VideoSize: 4,
	}
	assert.Contains(t, fmt.Sprint(res), "Photo: 4 bytes image/jpeg")
	text, err := json.Marshal(&res)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"PhotoSize":4`)
	assert.Contains(t, string(text), clienttest.Order)
	for _, text := range []string{string(text), clienttest.EveryPrint(res), clienttest.EveryPrint(&res)} {
		for _, face := range []string{`"Photo"`, `"Video"`, "FACE", "FILM", "70 65 67 69", "46414345", "RkFDRQ", "RklMTQ"} {
			assert.NotContains(t, text, face)
		}
	}
}
