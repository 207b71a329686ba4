package main

// How a reply with media can be decoded: the usual way, other libraries at their best, this one, and not at all.

import (
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

// The names of the ways, in the order of the table.
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

// A decode reads a body of known length and returns the media, nil where it does not keep them.
type decode func(body io.Reader, length int64) (photo, video []byte, err error)

// The decodes of the ways that are not this library's. sonic_amd64.go adds one. json/v2 is at its best without the
// checks that encoding/json does not make, either.
var decodes = map[string]decode{
	wayUsual: usualDecode,
	wayStd:   unmarshalBytes(json.Unmarshal),
	wayExp: unmarshalBytes(func(data []byte, v any) error {
		return jsonexp.Unmarshal(data, v, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	}),
	wayCopy:  copyDecode,
	wayFloor: floorDecode,
}

// available returns the names of the ways that this system has.
func available(names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return name == waySonic && decodes[name] == nil })
}

// fields are those that a client looks at besides the media.
type fields struct {
	Code         string `json:"code"`
	Msg          string `json:"msg"`
	BizSeqNo     string `json:"bizSeqNo"`
	OrderNo      string `json:"orderNo"`
	LiveRate     string `json:"liveRate"`
	OccurredTime string `json:"occurredTime"`
}

// bytesReply is what the libraries at their best unmarshal into.
type bytesReply struct {
	fields
	Photo []byte `json:"photo"`
	Video []byte `json:"video"`
}

var errNotPassed = errors.New("the reply's code is not 0")

// usualDecode is what in-house clients do.
func usualDecode(body io.Reader, _ int64) (photo, video []byte, err error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return nil, nil, err
	}
	var reply struct {
		fields
		Photo string `json:"photo"`
		Video string `json:"video"`
	}
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

// unmarshalBytes reads the body into a buffer of its size, which is what the fast libraries want.
func unmarshalBytes(unmarshal func([]byte, any) error) decode {
	return func(body io.Reader, length int64) (photo, video []byte, err error) {
		data := make([]byte, length)
		if _, err := io.ReadFull(body, data); err != nil {
			return nil, nil, err
		}
		// The end has to be seen, or the connection is not used again.
		if n, err := body.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			return nil, nil, fmt.Errorf("the body goes on (%w)", err)
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

// floorDecode reads every byte and looks at none, as many at a time as the library's window holds.
func floorDecode(body io.Reader, _ int64) (photo, video []byte, err error) {
	buf := floorBuffers.Get().(*[32 << 10]byte)
	defer floorBuffers.Put(buf)
	_, err = io.CopyBuffer(onlyWriter{io.Discard}, body, buf[:])
	return nil, nil, err
}

var floorBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// onlyWriter hides the ReadFrom of io.Discard.
type onlyWriter struct{ io.Writer }

// copyDecode is what most people would write for discarding.
func copyDecode(body io.Reader, _ int64) (photo, video []byte, err error) {
	_, err = io.Copy(io.Discard, body)
	return nil, nil, err
}

// A fetcher gets replies of the platform in any of the ways. Each keeps enough connections, so that they differ in
// decoding only.
type fetcher struct {
	base string
	http *http.Client
	sdk  *webanklive.Client
}

func newFetcher(base string) (*fetcher, error) {
	sdk, err := newClient(base)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 100, 100
	_, err = sdk.Credential(context.Background()) // the mint is no part of any figure
	return &fetcher{base: base, http: &http.Client{Transport: transport}, sdk: sdk}, err
}

// fetch gets the reply about order in the named way.
func (f *fetcher) fetch(name, order string) (photo, video []byte, err error) {
	switch name {
	case wayMemory:
		res, err := f.sdk.GetLiveResult(context.Background(), webanklive.LiveResultRequest{OrderNo: order, GetFile: webanklive.GetFileAll})
		if err != nil {
			return nil, nil, err
		}
		return res.Photo, res.Video, nil
	case wayStream:
		_, err = f.sdk.StreamLiveMedia(context.Background(), webanklive.LiveMediaRequest{
			OrderNo: order, Photo: onlyWriter{io.Discard}, Video: onlyWriter{io.Discard},
		})
		return nil, nil, err
	}
	return f.get(resultPath, url.Values{"order_no": {order}, "get_file": {"1"}}.Encode(), decodes[name])
}

const resultPath = "/api/server/getLiveResult?"

// get is a request without this library.
func (f *fetcher) get(path, query string, decode decode) (photo, video []byte, err error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, f.base+path+query, nil)
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

// tinyWay gets the result without media, and may be measured many at a time.
func (f *fetcher) tinyWay(name, decode string) way {
	return way{name, func() error {
		_, _, err := f.fetch(decode, orderTiny)
		return err
	}}
}
