package livetest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image/jpeg"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/webanklive/webanklive/livetest"
)

// decode reads Base64 in any of the styles.
func decode(t *testing.T, value any) []byte {
	t.Helper()
	text, ok := value.(string)
	require.True(t, ok, "%v", value)
	if _, after, found := strings.Cut(text, ";base64,"); found {
		text = after
	}
	text = strings.NewReplacer("\r", "", "\n", "", "=", "").Replace(text)
	content, err := base64.RawStdEncoding.DecodeString(text)
	require.NoError(t, err)
	return content
}

func TestStyle_EachIsJSONWithTheSameMedia(t *testing.T) {
	t.Parallel()
	person := livetest.Passing()
	person.Photo = append(person.Photo, 0) // one length that needs padding, whatever the sample's is
	person.Video = bytes.Repeat(livetest.SampleVideo(), 12)
	for _, style := range livetest.Styles() {
		t.Run(style.Name, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, r *rig) {
				r.AddResult("A1", person)
				r.SetStyle(style.Style)
				_, sign := r.mint()
				got := r.get(r.api + resultPath + "?" + r.resultQuery(sign, "A1", "1").Encode())
				if style.Chunked {
					assert.Empty(t, got.header.Get("Content-Length"))
				} else {
					assert.Equal(t, strconv.Itoa(len(got.body)), got.header.Get("Content-Length"))
				}
				text := got.body
				if style.RawWrapped {
					require.False(t, json.Valid([]byte(text)))
					text = strings.ReplaceAll(text, "\r\n", "")
				}
				var reply map[string]any
				require.NoError(t, json.Unmarshal([]byte(text), &reply))

				code := any("0")
				if style.Numbers {
					code = 0.0
				}
				assert.Equal(t, code, reply["code"])
				fields := reply
				if style.Nested {
					require.NotContains(t, reply, "photo")
					fields = reply["result"].(map[string]any)
					assert.Equal(t, false, fields["success"])
				}
				orderNo, appID := "orderNo", "app_id"
				if style.AltNames {
					orderNo, appID = "order_no", "appId"
				}
				assert.Equal(t, "A1", fields[orderNo])
				assert.Equal(t, r.AppID(), reply[appID])
				assert.Equal(t, "95", fields["liveRate"])
				assert.Len(t, fields["occurredTime"], 14)
				assert.NotEmpty(t, fields["bizSeqNo"])
				assert.True(t, bytes.Equal(person.Photo, decode(t, fields["photo"])))
				assert.True(t, bytes.Equal(person.Video, decode(t, fields["video"])))

				for trait, want := range map[string]bool{
					`\/`: style.Escaped, `\u003d`: style.Escaped && !style.Unpadded, `\r\n`: style.Wrapped,
					";base64,": style.DataPrefix, "traceInfo": style.Unknown,
				} {
					assert.True(t, strings.Contains(text, trait) == want, "%s: want %v", trait, want)
				}
				assert.Equal(t, !style.Unpadded, strings.HasSuffix(fields["photo"].(string), "="))
				// The decoys of Unknown come before both.
				assert.Equal(t, style.MediaFirst, strings.LastIndex(text, `"photo":`) < strings.LastIndex(text, `"code":`))
			})
		})
	}
}

func TestLiveResult_GetFileSelectsTheMedia(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.AddResult("A1", livetest.Passing())
	_, sign := r.mint()
	for getFile, want := range map[string][2]bool{"1": {true, true}, "2": {true, false}, "3": {false, true}, "": {}, "0": {}, "11": {}} {
		reply := r.call(resultPath, r.resultQuery(sign, "A1", getFile))
		_, photo := reply["photo"]
		_, video := reply["video"]
		assert.Equal(t, want, [2]bool{photo, video}, "get_file=%q", getFile)
	}
	r.SetStyle(livetest.Style{Blanks: true})
	reply := r.call(resultPath, r.resultQuery(sign, "A1", "2"))
	assert.Empty(t, reply["video"])
	assert.NotEmpty(t, reply["photo"])
}

func TestSetMediaLag_HidesTheMediaAndNotTheResult(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.SetMediaLag(2 * time.Second)
	r.AddResult("A1", livetest.Passing())
	_, sign := r.mint()
	reply := r.result(sign, "A1")
	assert.Equal(t, "0", reply["code"])
	assert.NotContains(t, reply, "photo")
	r.Advance(2 * time.Second)
	assert.Contains(t, r.result(sign, "A1"), "video")
}

func TestStyle_NumbersReachTokensTicketsAndRefusals(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.SetStyle(livetest.Style{Numbers: true, Unknown: true})
	reply := r.call(tokenPath, r.tokenQuery())
	assert.Equal(t, 0.0, reply["code"])
	assert.Equal(t, 7200.0, reply["expire_in"])
	assert.Equal(t, true, reply["success"])
	assert.Equal(t, 3600.0, r.ticketOf(r.ticketQuery(reply["access_token"].(string), "SIGN", ""))["expire_in"])
	assert.Equal(t, 400101.0, r.code(tokenPath, nil)) // the duplicates and the missing come first
}

func TestStyle_ChunkedHidesTheLengthOfShortRepliesToo(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		for chunked, want := range map[bool]bool{false: true, true: false} {
			r.SetStyle(livetest.Style{Chunked: chunked})
			assert.Equal(t, want, r.get(r.tokenURL()).header.Get("Content-Length") != "")
		}
	})
}

func TestSamples_AreWhatTheyAreCalled(t *testing.T) {
	t.Parallel()
	_, err := jpeg.Decode(bytes.NewReader(livetest.SamplePhoto()))
	require.NoError(t, err)
	video := livetest.SampleVideo()
	assert.Equal(t, "video/mp4", http.DetectContentType(video))
	assert.Less(t, len(video)+len(livetest.SamplePhoto()), 20<<10)
	var boxes []string
	for len(video) > 0 {
		require.Greater(t, len(video), 8)
		size := int(video[0])<<24 | int(video[1])<<16 | int(video[2])<<8 | int(video[3])
		require.LessOrEqual(t, size, len(video))
		boxes = append(boxes, string(video[4:8]))
		video = video[size:]
	}
	assert.Equal(t, []string{"ftyp", "moov", "mdat"}, boxes)
	livetest.SamplePhoto()[0] = 0
	assert.Equal(t, byte(0xFF), livetest.SamplePhoto()[0], "every call returns its own copy")
}

func TestStyle_MarkIsAByteOrderMarkBeforeTheReply(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.SetStyle(livetest.Style{Mark: true})
	got := r.get(r.tokenURL())
	rest, marked := strings.CutPrefix(got.body, "\ufeff")
	assert.True(t, marked && json.Valid([]byte(rest)), "%q", got.body)
	assert.Equal(t, strconv.Itoa(len(got.body)), got.header.Get("Content-Length"))
}
