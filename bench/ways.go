package main

// How a reply with media can be decoded: the usual way, two outside libraries at their best, and not at all.

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"

	jsonexp "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/webanklive/webanklive"
)

// fields are those that a client looks at besides the media.
type fields struct {
	Code         string `json:"code"`
	Msg          string `json:"msg"`
	BizSeqNo     string `json:"bizSeqNo"`
	OrderNo      string `json:"orderNo"`
	LiveRate     string `json:"liveRate"`
	OccurredTime string `json:"occurredTime"`
}

// The two shapes that media can be unmarshalled into.
type (
	textReply struct {
		fields
		Photo string `json:"photo"`
		Video string `json:"video"`
	}
	bytesReply struct {
		fields
		Photo []byte `json:"photo"`
		Video []byte `json:"video"`
	}
)

var errNotPassed = errors.New("the reply's code is not 0")

// A decode reads a body of known length and returns the media.
type decode func(body io.Reader, length int64) (photo, video []byte, err error)

// usualDecode is what in-house clients do.
func usualDecode(body io.Reader, _ int64) (photo, video []byte, err error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, nil, err
	}
	var reply textReply
	if err := json.Unmarshal(data, &reply); err != nil {
		return nil, nil, err
	}
	if reply.Code != "0" {
		return nil, nil, errNotPassed
	}
	if photo, err = base64.StdEncoding.DecodeString(reply.Photo); err != nil {
		return nil, nil, err
	}
	video, err = base64.StdEncoding.DecodeString(reply.Video)
	return photo, video, err
}

// whole reads a body into a buffer of its size, which is what the fast libraries want.
func whole(body io.Reader, length int64) ([]byte, error) {
	data := make([]byte, length)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, err
	}
	// The end has to be seen, or the connection is not used again.
	if n, err := body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the body goes on (%w)", err)
	}
	return data, nil
}

func unmarshalBytes(unmarshal func([]byte, any) error) decode {
	return func(body io.Reader, length int64) (photo, video []byte, err error) {
		data, err := whole(body, length)
		if err != nil {
			return nil, nil, err
		}
		var reply bytesReply
		if err := unmarshal(data, &reply); err != nil {
			return nil, nil, err
		}
		if reply.Code != "0" {
			return nil, nil, errNotPassed
		}
		return reply.Photo, reply.Video, nil
	}
}

// json/v2 at its best: into []byte, and no checks that encoding/json does not make, either.
var (
	stdBytes = unmarshalBytes(json.Unmarshal)
	expBytes = unmarshalBytes(func(data []byte, v any) error {
		return jsonexp.Unmarshal(data, v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	})
)

// discardDecode is the floor: every byte is read, none is looked at.
func discardDecode(body io.Reader, _ int64) (photo, video []byte, err error) {
	// As large as the library's window.
	buf := floorBuffers.Get().(*[32 << 10]byte)
	defer floorBuffers.Put(buf)
	_, err = io.CopyBuffer(onlyWriter{io.Discard}, body, buf[:])
	return nil, nil, err
}

// copyDecode is what most people would write for discarding.
func copyDecode(body io.Reader, _ int64) (photo, video []byte, err error) {
	_, err = io.Copy(io.Discard, body)
	return nil, nil, err
}

var floorBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// onlyWriter hides the ReadFrom of io.Discard.
type onlyWriter struct{ io.Writer }

// wayNames in the order of the table.
const (
	wayUsual  = "usual: ReadAll, Unmarshal to strings, DecodeString"
	wayStd    = "encoding/json to []byte, sized buffer"
	wayExp    = "go-json-experiment/json to []byte, sized buffer"
	waySonic  = "bytedance/sonic to []byte, sized buffer"
	wayMemory = "SDK: GetLiveResult"
	wayStream = "SDK: StreamLiveMedia"
	wayCopy   = "io.Copy to io.Discard, which reads 8 KB at a time"
	wayFloor  = "floor: read 32 KB at a time and discard"
)

var decodes = map[string]decode{ // sonic_amd64.go adds one
	wayUsual: usualDecode, wayStd: stdBytes, wayExp: expBytes, wayFloor: discardDecode, wayCopy: copyDecode,
}

// available returns the names of the ways that this system has.
func available(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return decodes[name] == nil && name != wayMemory && name != wayStream
	})
}

// A fetcher gets replies of the platform in any of the ways.
type fetcher struct {
	ctx  context.Context
	base string
	http *http.Client
	sdk  *webanklive.Client
}

// newFetcher returns a fetcher whose every way keeps enough connections, so that they differ in decoding only.
func newFetcher(ctx context.Context, base, appID, secret string) (*fetcher, error) {
	// More than 64 MB of reply is refused unless asked for; none here is that long.
	sdk, err := webanklive.NewClient(appID, secret, webanklive.WithBaseURLs(base, base), webanklive.WithMaxRetries(0))
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 100, 100
	f := &fetcher{ctx: ctx, base: base, http: &http.Client{Transport: transport}, sdk: sdk}
	_, err = sdk.Credential(ctx) // the mint is no part of any figure
	return f, err
}

// fetch gets the reply about order in the named way and returns what was decoded, nil where that is not kept.
func (f *fetcher) fetch(name, order string) (photo, video []byte, err error) {
	switch name {
	case wayMemory:
		res, err := f.sdk.GetLiveResult(f.ctx, webanklive.LiveResultRequest{OrderNo: order, GetFile: webanklive.GetFileAll})
		if err != nil {
			return nil, nil, err
		}
		return res.Photo, res.Video, nil
	case wayStream:
		_, err = f.sdk.StreamLiveMedia(f.ctx, webanklive.LiveMediaRequest{
			OrderNo: order, Photo: onlyWriter{io.Discard}, Video: onlyWriter{io.Discard},
		})
		return nil, nil, err
	}
	return f.get(order, decodes[name])
}

// stream is StreamLiveMedia into memory, to see that it is right.
func (f *fetcher) stream(order string) (photo, video []byte, err error) {
	var p, v bytes.Buffer
	_, err = f.sdk.StreamLiveMedia(f.ctx, webanklive.LiveMediaRequest{OrderNo: order, Photo: &p, Video: &v})
	return p.Bytes(), v.Bytes(), err
}

// get is a request without this library.
func (f *fetcher) get(order string, decode decode) (photo, video []byte, err error) {
	query := url.Values{"order_no": {order}, "get_file": {"1"}}
	req, err := http.NewRequestWithContext(f.ctx, http.MethodGet, f.base+"/api/server/getLiveResult?"+query.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return decode(resp.Body, resp.ContentLength)
}

// sink keeps results alive, so that no way is spared its allocations.
var sink [2][]byte

// way wraps fetch for measuring one at a time.
func (f *fetcher) way(name, order string) way {
	return way{name, func() (err error) {
		sink[0], sink[1], err = f.fetch(name, order)
		return err
	}}
}
