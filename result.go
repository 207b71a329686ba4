package webanklive

// Asking the platform for the decision, and for the evidence.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/webanklive/webanklive/internal/jsonmedia"
)

const pathLiveResult = "/api/server/getLiveResult"

// GetFile says which evidence a query brings along. Evidence is megabytes: ask for the decision first, with
// GetFileNone, and for the evidence in a call of its own.
type GetFile string

// What to bring along, by its value on the wire.
const (
	GetFileNone  GetFile = ""  // the decision only: the zero value
	GetFileAll   GetFile = "1" // photo and video
	GetFilePhoto GetFile = "2"
	GetFileVideo GetFile = "3"
)

// LiveResultRequest asks for the result of one order, 1 to 32 ASCII letters and digits.
type LiveResultRequest struct {
	OrderNo string
	GetFile GetFile

	// WaitForMedia is how long to go on asking while the person passed and requested media are missing: they come a
	// second or two after the result. 0 asks once. It never prolongs a refusal. When asking again fails, its error comes
	// with the result that is known already.
	WaitForMedia time.Duration
}

// LiveResult is the platform's answer about one order. Formatted with fmt or slog it shows the sizes of the media, not the
// media: they are a person's face. For the same reason encoding/json leaves Photo and Video out.
type LiveResult struct {
	// Code is "0" when the person passed. Message and BizSeqNo (业务流水号) are for support.
	Code, Message, BizSeqNo string

	// OrderNo is the order that was asked for; AppID is as the platform sent it, maybe empty.
	OrderNo, AppID string

	// LiveRate is the score (活体检测得分), 0 to 100 as text, maybe decimal, maybe the text 分数为空. Decide by the
	// error, not by the score.
	LiveRate string

	// OccurredAt is when the check took place: the platform's OccurredTime, yyyyMMddHHmmss, read as Beijing time.
	// It is zero when OccurredTime is absent or unreadable.
	OccurredAt   time.Time
	OccurredTime string

	// Photo and Video are decoded and the caller's to keep. They are nil when not asked for, not sent, or streamed. What
	// decodes to fewer than 64 bytes, such as the word null, is no picture or video and counts as not sent.
	Photo []byte `json:"-"`
	Video []byte `json:"-"`

	// PhotoSize and VideoSize are decoded sizes in bytes, also of what was streamed; 0 when there was nothing.
	PhotoSize, VideoSize int64

	// PhotoType and VideoType are told from the first bytes: image/jpeg, image/png, image/bmp, image/gif, image/webp or
	// image/heic; video/mp4, video/quicktime, video/webm or video/x-msvideo; empty when it is none of these. Each says
	// what came, a video type in the photo's place too.
	PhotoType, VideoType string
}

// Format shows everything but the media for every verb.
func (r LiveResult) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "webanklive.LiveResult{Code: %q, Message: %q, BizSeqNo: %q, OrderNo: %q, AppID: %q, LiveRate: %q, "+
		"OccurredTime: %q, Photo: %d bytes %s, Video: %d bytes %s}", r.Code, r.Message, r.BizSeqNo, r.OrderNo, r.AppID,
		r.LiveRate, r.OccurredTime, r.PhotoSize, r.PhotoType, r.VideoSize, r.VideoType)
}

// LogValue does for slog what Format does for fmt.
func (r LiveResult) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(r)) }

// GetLiveResult asks for the result of an order. Its error is nil if and only if this person passed: the status is 2xx,
// the code is 0 wherever the reply has one, the reply names this order and no app ID but this client's, and its field result,
// if there is one, is an object. For every other reply with code 0 the error is of class [ErrUnavailable].
//
// Ask only for an order whose callback came back in the session that started it ([Client.VerifyCallback]). A pass proves a
// live person, not this user: the launch can be relayed to another face, so compare the photo with the one on file where
// identity matters. The platform keeps evidence for no promised time, so fetch it at once. Media are decoded into memory
// of their size; [Client.StreamLiveMedia] needs none.
//
// Errors: [ErrNotPassed], with the result, for a code that says so and for one that no vendor page names, when the reply
// has a 2xx status and names the order or a bizSeqNo; [ErrNotReady] when there is no result; [ErrMedia], with the result,
// when the person passed and media arrived corrupt or cut; [ErrInvalidRequest] before the network; [ErrThrottled],
// [ErrUnavailable], [ErrCredential], [ErrAccount]; ctx's own. Media that are still missing when WaitForMedia has run out
// are no error: their size is 0.
//
// 活体检测接口查询: the page 服务端查询结果 of https://cloud.tencent.com/document/product/655
func (c *Client) GetLiveResult(ctx context.Context, req LiveResultRequest) (_ *LiveResult, err error) {
	const op = "get live result"
	defer c.observeCall(&ctx, &err, op, req.OrderNo)()
	var broken problems
	broken.requireOrderNo(req.OrderNo)
	broken.require(req.WaitForMedia >= 0, "WaitForMedia", "must not be negative")
	want := media{photo: jsonmedia.Skip(), video: jsonmedia.Skip()}
	switch req.GetFile {
	case GetFileNone:
	case GetFileAll:
		want.photo, want.video = jsonmedia.ToMemory(), jsonmedia.ToMemory()
	case GetFilePhoto:
		want.photo = jsonmedia.ToMemory()
	case GetFileVideo:
		want.video = jsonmedia.ToMemory()
	default:
		broken.require(false, "GetFile", "must be GetFileNone, GetFileAll, GetFilePhoto or GetFileVideo")
	}
	if err := broken.err(op); err != nil {
		return nil, err
	}
	return c.liveResult(ctx, op, req.OrderNo, want, req.WaitForMedia)
}

// LiveMediaRequest asks for the evidence of one order.
type LiveMediaRequest struct {
	OrderNo string

	// Photo and Video receive the decoded bytes in pieces; nil: not asked for. One of them is required. They are not
	// closed and not kept.
	Photo, Video io.Writer

	// WaitForMedia is that of [LiveResultRequest]. Nothing is written twice: when the photo or the video has come, only
	// the other is asked for.
	WaitForMedia time.Duration
}

// StreamLiveMedia is [Client.GetLiveResult] for evidence of any size: it decodes photo and video on the way from the
// network into writers. Its error is nil if and only if the person passed and everything that came was written.
//
// Bytes may be written before an error is known, because the platform may send the media first. So write to a
// temporary file and rename it when the error is nil. Media of fewer than 64 bytes are not written. The call is not
// repeated once a byte was written. Besides the errors of GetLiveResult, which all apply, a writer's error is returned
// wrapped, outside all classes. The vendor's page is the same.
func (c *Client) StreamLiveMedia(ctx context.Context, req LiveMediaRequest) (_ *LiveResult, err error) {
	const op = "stream live media"
	defer c.observeCall(&ctx, &err, op, req.OrderNo)()
	var broken problems
	broken.requireOrderNo(req.OrderNo)
	broken.require(req.Photo != nil || req.Video != nil, "Photo and Video", "must not both be nil")
	broken.require(req.WaitForMedia >= 0, "WaitForMedia", "must not be negative")
	if err := broken.err(op); err != nil {
		return nil, err
	}
	want := media{photo: jsonmedia.ToWriter(req.Photo), video: jsonmedia.ToWriter(req.Video), streamed: true}
	return c.liveResult(ctx, op, req.OrderNo, want, req.WaitForMedia)
}

// media says where photo and video go.
type media struct {
	photo, video jsonmedia.Sink
	streamed     bool // into the caller's writers
}

// noMedia is shared by all calls that want none: it is only read.
var noMedia = map[string]jsonmedia.Sink{"photo": jsonmedia.Skip(), "video": jsonmedia.Skip()}

func (m media) sinks() map[string]jsonmedia.Sink {
	if m.getFile() == GetFileNone {
		return noMedia
	}
	return map[string]jsonmedia.Sink{"photo": m.photo, "video": m.video}
}

func (m media) getFile() GetFile {
	photo, video := m.photo != jsonmedia.Skip(), m.video != jsonmedia.Skip()
	switch {
	case photo && video:
		return GetFileAll
	case photo:
		return GetFilePhoto
	case video:
		return GetFileVideo
	}
	return GetFileNone
}

// liveResult asks until the media that are wanted have come, or the time for it has gone.
func (c *Client) liveResult(ctx context.Context, op, orderNo string, want media, wait time.Duration) (*LiveResult, error) {
	var had *LiveResult
	end := time.Now().Add(wait)
	for delay := 500 * time.Millisecond; ; delay = min(2*delay, 2*time.Second) {
		res, err := c.askLiveResult(ctx, op, orderNo, want)
		switch {
		case res == nil:
			res = had // the last result
		case had != nil:
			res.keep(had)
		}
		if err != nil {
			return res, err
		}
		if res.PhotoSize > 0 {
			want.photo = jsonmedia.Skip()
		}
		if res.VideoSize > 0 {
			want.video = jsonmedia.Skip()
		}
		left := time.Until(end)
		if want.getFile() == GetFileNone || left <= 0 {
			return res, nil
		}
		if !pause(ctx, min(delay, left)) {
			if ctx.Err() != nil {
				return res, &Error{Op: op, Err: ctx.Err()}
			}
			return res, nil // ctx leaves no time for another try
		}
		had = res
	}
}

// keep takes over the media that an earlier answer brought.
func (r *LiveResult) keep(had *LiveResult) {
	if had.PhotoSize > 0 {
		r.Photo, r.PhotoSize, r.PhotoType = had.Photo, had.PhotoSize, had.PhotoType
	}
	if had.VideoSize > 0 {
		r.Video, r.VideoSize, r.VideoType = had.Video, had.VideoSize, had.VideoType
	}
}

// liveResultQuery is what goes on the wire for a result.
type liveResultQuery struct {
	AppID   string  `url:"app_id"`
	Nonce   string  `url:"nonce"`
	OrderNo string  `url:"order_no"`
	Version string  `url:"version"`
	Sign    string  `url:"sign"`
	GetFile GetFile `url:"get_file,omitempty"`
}

func (c *Client) askLiveResult(ctx context.Context, op, orderNo string, want media) (*LiveResult, error) {
	var res *LiveResult
	err := c.credential.withCredential(ctx, func(h *record) error {
		q := liveResultQuery{
			AppID: c.appID, Nonce: c.newNonce(), OrderNo: orderNo, Version: apiVersion, GetFile: want.getFile(),
		}
		q.Sign = Sign(q.AppID, q.OrderNo, q.Version, h.SignTicket, q.Nonce)
		hide := []string{h.SignTicket, h.PreviousSignTicket, h.AccessToken, q.Sign}
		return c.send(ctx, call{
			op: op, path: pathLiveResult, query: q, verdict: true, media: q.GetFile != GetFileNone, hide: hide,
			read: func(body *replyBody) (env envelope, err error) {
				res, env, err = c.readLiveResult(body, orderNo, want, hide)
				return env, err
			},
		})
	})
	if err == nil || errors.Is(err, ErrNotPassed) || errors.Is(err, ErrMedia) && res.Code == codePassed {
		return res, err
	}
	return nil, err
}

var errOtherOrder = errors.New("the reply is about another order")

// Why a reply with code 0 is no pass: a gateway, a mock or a health page may send code 0 as well.
var (
	errNoOrder   = errors.New("code 0, but the reply names no order")
	errOtherApp  = errors.New("code 0, but the reply names another app ID")
	errBadResult = errors.New("code 0, but result is not an object")
)

// minMedia is the smallest size of a photo or video, in bytes. The word null, for instance, is valid Base64 of three bytes.
const minMedia = 64

// The names that the replies use. Each is looked for in result first, then at the top.
var (
	orderNames = []string{"orderNo", "order_no"}
	appNames   = []string{"app_id", "appId"}
	resultScan = append(append([]string{"code", "msg", "bizSeqNo", "liveRate", "occurredTime"}, orderNames...), appNames...)
)

// readLiveResult reads one reply. A field called success means nothing (success：false 无意义) and is not read.
func (c *Client) readLiveResult(body *replyBody, orderNo string, want media, hide []string) (*LiveResult, envelope, error) {
	obj, err := jsonmedia.Scan(body, jsonmedia.Options{
		Fields: resultScan,
		Media:  want.sinks(),
		Nested: "result",
		Length: body.length,
		Limit:  c.maxBytes,
		Min:    minMedia,
	})
	levels := []jsonmedia.Values{obj.Nested, obj.Top}
	photo, video := obj.Media["photo"], obj.Media["video"]
	env := readEnvelope(levels...)
	env.written = want.streamed && photo.Size+video.Size > 0
	named, others, odd := names(levels, orderNames, orderNo)
	if others || odd && env.code == codePassed {
		return nil, envelope{written: env.written}, errOtherOrder
	}
	env.named = named || env.bizSeqNo != ""
	if env.code == codePassed && env.flaw == nil {
		_, otherApp, oddApp := names(levels, appNames, c.appID)
		switch {
		case !named:
			env.flaw = errNoOrder
		case otherApp || oddApp:
			env.flaw = errOtherApp
		case obj.NestedOdd:
			env.flaw = errBadResult
		}
	}

	res := &LiveResult{
		Code: c.clean(env.code, 32, hide), Message: c.clean(env.message, 256, hide), BizSeqNo: c.clean(env.bizSeqNo, 64, hide),
		OrderNo: orderNo, AppID: c.clean(textOf(levels, appNames...), 64, hide),
		LiveRate: c.clean(textOf(levels, "liveRate"), 32, hide), OccurredTime: c.clean(textOf(levels, "occurredTime"), 32, hide),
		Photo: photo.Data, PhotoSize: photo.Size, PhotoType: jsonmedia.Kind(photo.Head),
		Video: video.Data, VideoSize: video.Size, VideoType: jsonmedia.Kind(video.Head),
	}
	if at, err := time.ParseInLocation("20060102150405", res.OccurredTime, beijing); err == nil {
		res.OccurredAt = at
	}
	return res, env, scanError(err)
}

// names reports whether one of the fields has the value want (named), whether one has another value (others), and whether one
// has a value that cannot be read (odd).
func names(levels []jsonmedia.Values, fields []string, want string) (named, others, odd bool) {
	for _, level := range levels {
		for _, name := range fields {
			field := level.Lookup(name)
			switch text := strings.TrimSpace(field.Text); {
			case text == want:
				named = true
			case text != "":
				others = true
			case field.Odd:
				odd = true
			}
		}
	}
	return named, others, odd
}

var beijing = time.FixedZone("UTC+8", 8*60*60)
