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

// LiveResult is the platform's answer about one order. Formatted with fmt or slog it shows the sizes of the media, not
// the media: they are a person's face.
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

	// Photo and Video are decoded and the caller's to keep. They are nil when not asked for, not sent, or streamed.
	Photo, Video []byte

	// PhotoSize and VideoSize are decoded sizes in bytes, also of what was streamed; 0 when there was nothing.
	PhotoSize, VideoSize int64

	// PhotoType and VideoType are told from the first bytes: image/jpeg, image/png, video/mp4 or video/webm; empty
	// when it is none of these.
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

// GetLiveResult asks for the result of an order. Its error is nil if and only if this person passed.
//
// Ask after the callback came. Evidence is kept by the platform for three days, so fetch it at once. Media are
// decoded into memory of their size; [Client.StreamLiveMedia] needs none.
//
// Errors: [ErrNotPassed], with the result, for a code that says so and for one that no vendor page names;
// [ErrNotReady] when there is no result; [ErrMedia], with the result, when the person passed and media arrived
// corrupt or cut; [ErrInvalidRequest] before the network; [ErrThrottled], [ErrUnavailable], [ErrCredential],
// [ErrAccount]; ctx's own. Media that are still missing when WaitForMedia has run out are no error: their size is 0.
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

	// WaitForMedia is that of [LiveResultRequest]. Nothing that was written is written again: after one of the two
	// came, only the other is asked for.
	WaitForMedia time.Duration
}

// StreamLiveMedia is [Client.GetLiveResult] for evidence of any size: it decodes photo and video on the way from the
// network into writers. Its error is nil if and only if the person passed and everything that came was written.
//
// Bytes may be written before an error is known, because the platform may send the media first. So write to a
// temporary file and rename it when the error is nil. The call is not repeated once a byte was written. Besides the
// errors of GetLiveResult, which all apply, a writer's error is returned wrapped, outside all classes. It implements the
// same vendor page.
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
			res = had // what is known already
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
	err := c.credential.withCredential(ctx, func(h *held) error {
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

// The names that the replies use. Every one is looked for under result first, then at the top.
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
	})
	field := func(names ...string) string {
		for _, level := range []jsonmedia.Values{obj.Nested, obj.Top} {
			for _, name := range names {
				if value := strings.TrimSpace(level.Get(name)); value != "" {
					return value
				}
			}
		}
		return ""
	}
	photo, video := obj.Media["photo"], obj.Media["video"]
	env := envelope{
		code: field("code"), message: field("msg"), bizSeqNo: field("bizSeqNo"),
		written: want.streamed && photo.Size+video.Size > 0,
	}
	// A failure at either level is a failure.
	if top := strings.TrimSpace(obj.Top.Get("code")); env.code == codePassed && top != "" {
		env.code = top
	}
	for _, level := range []jsonmedia.Values{obj.Nested, obj.Top} {
		for _, name := range orderNames {
			if got := strings.TrimSpace(level.Get(name)); got != "" && got != orderNo {
				return nil, envelope{written: env.written}, errOtherOrder
			}
		}
	}

	res := &LiveResult{
		Code: c.clean(env.code, 32, hide), Message: c.clean(env.message, 256, hide), BizSeqNo: c.clean(env.bizSeqNo, 64, hide),
		OrderNo: orderNo, AppID: c.clean(field(appNames...), 64, hide), LiveRate: c.clean(field("liveRate"), 32, hide),
		OccurredTime: c.clean(field("occurredTime"), 32, hide),
		Photo:        photo.Data, PhotoSize: photo.Size, PhotoType: mediaKind(photo.Head),
		Video: video.Data, VideoSize: video.Size, VideoType: mediaKind(video.Head),
	}
	if at, err := time.ParseInLocation("20060102150405", res.OccurredTime, beijing); err == nil {
		res.OccurredAt = at
	}
	return res, env, scanError(err)
}

var beijing = time.FixedZone("UTC+8", 8*60*60)

// scanError sorts what a scan can fail with.
func scanError(err error) error {
	if err == nil {
		return nil
	}
	var (
		syntax *jsonmedia.SyntaxError
		read   *jsonmedia.ReadError
		write  *jsonmedia.WriteError
		broken *jsonmedia.MediaError
	)
	switch {
	case errors.As(err, &broken) && errors.As(err, &write):
		return &mediaFault{err: fmt.Errorf("write %s: %w", broken.Field, write.Err), writer: true}
	case errors.As(err, &broken):
		cut := errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &read)
		return &mediaFault{err: fmt.Errorf("%w: %w", ErrMedia, err), cut: cut}
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: %w", errNotJSON, err)
	}
	return err
}

// mediaKind tells the content type from the first bytes.
func mediaKind(head []byte) string {
	for _, kind := range []struct {
		at    int
		magic string
		name  string
	}{
		{0, "\xFF\xD8\xFF", "image/jpeg"},
		{0, "\x89PNG\r\n\x1A\n", "image/png"},
		{4, "ftyp", "video/mp4"},
		{0, "\x1A\x45\xDF\xA3", "video/webm"},
	} {
		if len(head) >= kind.at && strings.HasPrefix(string(head[kind.at:]), kind.magic) {
			return kind.name
		}
	}
	return ""
}
