// The person in front of the camera, and the browser in the person's hand.

package livetest

import (
	"context"
	_ "embed" // the sample media
	"errors"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
)

//go:embed media/sample.jpg
var samplePhoto string

//go:embed media/sample.mp4
var sampleVideo string

// Person is how a check goes. The platform keeps Photo and Video without copying; do not modify them afterwards.
type Person struct {
	Code     string // "0" passed, anything else not
	LiveRate string // the score; empty: not sent
	Photo    []byte // empty: none
	Video    []byte // empty: none
	GivesUp  bool   // opens the page and leaves
}

// Passing returns a person who passes with a small photo and a small video.
func Passing() Person {
	return Person{Code: codePassed, LiveRate: "95", Photo: SamplePhoto(), Video: SampleVideo()}
}

// Failing returns a person who does not pass, for the reason of code; no media are kept.
func Failing(code string) Person { return Person{Code: code} }

// WithoutRecorder returns a person whose browser cannot record: the page sends the browser back with 3001, unsigned, and
// there is no result to fetch.
func WithoutRecorder() Person { return Person{Code: "3001"} }

// Quitting returns a person who opens the page and closes it again.
func Quitting() Person { return Person{GivesUp: true} }

// SamplePhoto returns a new copy of a small JPEG.
func SamplePhoto() []byte { return []byte(samplePhoto) }

// SampleVideo returns a new copy of a small MP4.
func SampleVideo() []byte { return []byte(sampleVideo) }

func (who Person) leavesNothing() bool { return who.GivesUp || slices.Contains(frontEnd, who.Code) }

var (
	sessionField = regexp.MustCompile(`name="session" value="([^"]+)"`)
	callbackLink = regexp.MustCompile(`id="callback" href="([^"]+)"`)
	reasonText   = regexp.MustCompile(`id="reason">([^<]+)<`)
)

// Visit plays the browser in memory: it opens link, lets person go through the check, and returns the URL that the browser
// is sent back to, without opening it. It is empty, and the error nil, when the person gives up. A link is opened
// whatever its host, because no name is resolved. The error of a refused link carries the platform's reason.
func (p *Platform) Visit(ctx context.Context, link string, person Person) (callback string, err error) {
	res, body, err := p.browse(ctx, http.MethodGet, link, "", nil)
	if err != nil {
		return "", fmt.Errorf("livetest: open the link: %w", err)
	}
	session := sessionField.FindStringSubmatch(body)
	if res.StatusCode != http.StatusOK || session == nil {
		return "", fmt.Errorf("livetest: the link does not open: HTTP %d%s", res.StatusCode, reason(body))
	}
	if person.GivesUp {
		return "", nil
	}

	form, contentType := person.form(session[1])
	action := res.Request.URL.ResolveReference(&url.URL{Path: "../livelogin/finish"})
	res, body, err = p.browse(ctx, http.MethodPost, action.String(), contentType, form)
	if err != nil {
		return "", fmt.Errorf("livetest: finish the check: %w", err)
	}
	if back := res.Header.Get("Location"); back != "" && res.StatusCode == http.StatusSeeOther {
		return back, nil
	}
	back := callbackLink.FindStringSubmatch(body)
	if res.StatusCode != http.StatusOK || back == nil {
		return "", fmt.Errorf("livetest: the check does not finish: HTTP %d%s", res.StatusCode, reason(body))
	}
	return html.UnescapeString(back[1]), nil
}

// browse sends one request and reads the page. Its error names no URL, because a link is as good as a ticket.
func (p *Platform) browse(ctx context.Context, method, link, contentType string, form io.Reader) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, link, form)
	if err != nil {
		return nil, "", errors.New("it is no URL")
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := p.Transport().RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

// form streams what the page reports. The writer ends with the request: the transport closes every body it is given.
func (who Person) form(session string) (body io.Reader, contentType string) {
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	go func() {
		for _, f := range []struct {
			name    string
			content []byte
		}{
			{"session", []byte(session)}, {"code", []byte(who.Code)}, {"liveRate", []byte(who.LiveRate)},
			{"photo", who.Photo}, {"video", who.Video},
		} {
			part, err := form.CreateFormField(f.name)
			if err == nil {
				_, err = part.Write(f.content)
			}
			if err != nil {
				return // the platform hung up
			}
		}
		_ = pw.CloseWithError(form.Close())
	}()
	return pr, form.FormDataContentType()
}

func reason(page string) string {
	if m := reasonText.FindStringSubmatch(page); m != nil {
		return ": " + html.UnescapeString(m[1])
	}
	return ""
}
