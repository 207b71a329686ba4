package livetest_test

import (
	"bytes"
	"context"
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
				ticket := r.ticket(r.token(), "SIGN", "")
				_, header, body, err := r.do(context.Background(), http.MethodGet, r.api+resultPath+"?"+r.resultQuery(ticket, "A1", "1").Encode())
				require.NoError(t, err)
				if style.Chunked {
					assert.Empty(t, header.Get("Content-Length"))
				} else {
					assert.Equal(t, strconv.Itoa(len(body)), header.Get("Content-Length"))
				}
				if style.RawWrapped {
					require.False(t, json.Valid(body))
					body = bytes.ReplaceAll(body, []byte("\r\n"), nil)
				}
				var reply map[string]any
				require.NoError(t, json.Unmarshal(body, &reply))

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

				text := string(body)
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
	ticket := r.ticket(r.token(), "SIGN", "")
	for getFile, want := range map[string][2]bool{"1": {true, true}, "2": {true, false}, "3": {false, true}, "": {}, "0": {}, "11": {}} {
		reply := r.call(resultPath, r.resultQuery(ticket, "A1", getFile))
		_, photo := reply["photo"]
		_, video := reply["video"]
		assert.Equal(t, want, [2]bool{photo, video}, "get_file=%q", getFile)
	}
	r.SetStyle(livetest.Style{Blanks: true})
	reply := r.call(resultPath, r.resultQuery(ticket, "A1", "2"))
	assert.Empty(t, reply["video"])
	assert.NotEmpty(t, reply["photo"])
}

func TestSetMediaLag_HidesTheMediaAndNotTheResult(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.SetMediaLag(2 * time.Second)
	r.AddResult("A1", livetest.Passing())
	ticket := r.ticket(r.token(), "SIGN", "")
	reply := r.call(resultPath, r.resultQuery(ticket, "A1", "1"))
	assert.Equal(t, "0", reply["code"])
	assert.NotContains(t, reply, "photo")
	r.Advance(2 * time.Second)
	assert.Contains(t, r.call(resultPath, r.resultQuery(ticket, "A1", "1")), "video")
}

func TestStyle_NumbersReachTokensTicketsAndRefusals(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.SetStyle(livetest.Style{Numbers: true, Unknown: true})
	reply := r.call(tokenPath, r.tokenQuery())
	assert.Equal(t, 0.0, reply["code"])
	assert.Equal(t, 7200.0, reply["expire_in"])
	assert.Equal(t, true, reply["success"])
	reply = r.call(ticketPath, r.ticketQuery(reply["access_token"].(string), "SIGN", ""))
	assert.Equal(t, 3600.0, reply["tickets"].([]any)[0].(map[string]any)["expire_in"])
	assert.Equal(t, 400101.0, r.code(tokenPath, nil)) // the duplicates and the missing come first
}

func TestStyle_ChunkedHidesTheLengthOfShortRepliesToo(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, r *rig) {
		for chunked, want := range map[bool]bool{false: true, true: false} {
			r.SetStyle(livetest.Style{Chunked: chunked})
			_, header, _, err := r.ask(context.Background())
			require.NoError(t, err)
			assert.Equal(t, want, header.Get("Content-Length") != "")
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

func TestMark_IsAByteOrderMarkBeforeTheReply(t *testing.T) {
	t.Parallel()
	r := inMemory(t)
	r.SetStyle(livetest.Style{Mark: true})
	_, header, body, err := r.do(context.Background(), http.MethodGet, r.api+tokenPath+"?"+r.tokenQuery().Encode())
	require.NoError(t, err)
	rest, marked := bytes.CutPrefix(body, []byte("\ufeff"))
	assert.True(t, marked && json.Valid(rest), "%q", body)
	assert.Equal(t, strconv.Itoa(len(body)), header.Get("Content-Length"))
}
