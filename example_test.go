package webanklive_test

// Examples of the calls of Client: what pkg.go.dev shows. The platform is the fake of package livetest.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// exampleClient is a client for a fake platform; yours is webanklive.NewClient(appID, secret).
func exampleClient(opts ...webanklive.Option) (*webanklive.Client, *livetest.Platform) {
	platform := livetest.New()
	c, err := webanklive.NewClient(platform.AppID(), platform.Secret(), append([]webanklive.Option{
		webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
		webanklive.WithHTTPClient(&http.Client{Transport: platform.Transport()}),
	}, opts...)...)
	if err != nil {
		panic(err)
	}
	return c, platform
}

func Example() {
	ctx := context.Background()
	c, platform := exampleClient()

	link, err := c.BuildLiveLoginURL(ctx, webanklive.LiveLoginRequest{
		OrderNo: "A1", UserID: "u1", CallbackURL: "https://shop.example/liveness/done",
	})
	fmt.Println("redirect the browser:", err)

	back, _ := platform.Visit(ctx, link, livetest.Passing()) // the person, in front of the camera
	callback, _ := url.Parse(back)

	cb, err := c.VerifyCallback(ctx, callback.Query(), "A1")
	fmt.Println("callback:", cb.Code, err)

	res, err := c.GetLiveResult(ctx, webanklive.LiveResultRequest{OrderNo: "A1"})
	switch {
	case err == nil:
		fmt.Println("passed:", res.LiveRate)
	case errors.Is(err, webanklive.ErrNotPassed):
		fmt.Println("not passed:", res.Code)
	case errors.Is(err, webanklive.ErrNotReady), webanklive.Retryable(err):
		fmt.Println("later")
	default:
		fmt.Println("page someone")
	}
	// Output:
	// redirect the browser: <nil>
	// callback: 0 <nil>
	// passed: 95
}

// Redirect now, decide later: three handlers. The expected order is the session's, never the query's.
func Example_handlers() {
	c, platform := exampleClient()
	session := struct{ UserID, OrderNo string }{UserID: "u1"} // yours, by a cookie with SameSite=Lax

	mux := http.NewServeMux()
	mux.HandleFunc("POST /liveness/start", func(w http.ResponseWriter, r *http.Request) {
		session.OrderNo = "A1" // a new one for every attempt
		link, err := c.BuildLiveLoginURL(r.Context(), webanklive.LiveLoginRequest{
			OrderNo: session.OrderNo, UserID: session.UserID, CallbackURL: "https://shop.example/liveness/done",
		})
		if err != nil {
			http.Error(w, "please try again", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "no-store") // the link is a key
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.Redirect(w, r, link, http.StatusSeeOther)
	})
	mux.HandleFunc("GET /liveness/done", func(w http.ResponseWriter, r *http.Request) {
		_, err := c.VerifyCallback(r.Context(), r.URL.Query(), session.OrderNo)
		switch {
		case err == nil:
			http.Redirect(w, r, "/liveness/result", http.StatusSeeOther)
		case errors.Is(err, webanklive.ErrUnsignedCallback): // 3001: this browser cannot record
			http.Redirect(w, r, "/identify/otherwise", http.StatusSeeOther)
		default:
			http.Error(w, "this is not the platform's answer", http.StatusBadRequest)
		}
	})
	mux.HandleFunc("GET /liveness/result", func(w http.ResponseWriter, r *http.Request) {
		_, err := c.GetLiveResult(r.Context(), webanklive.LiveResultRequest{OrderNo: session.OrderNo})
		switch {
		case err == nil:
			fmt.Fprint(w, "passed")
		case errors.Is(err, webanklive.ErrNotPassed):
			fmt.Fprint(w, "not passed")
		case errors.Is(err, webanklive.ErrNotReady), webanklive.Retryable(err):
			w.Header().Set("Refresh", "2")
			fmt.Fprint(w, "one moment please")
		default:
			http.Error(w, "sorry", http.StatusInternalServerError)
		}
	})

	// A browser goes through them.
	open := func(method, target string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, target, nil))
		return w
	}
	link := open("POST", "/liveness/start").Header().Get("Location")
	back, _ := platform.Visit(context.Background(), link, livetest.Passing())
	next := open("GET", back).Header().Get("Location")
	fmt.Println(next, open("GET", next).Body)
	// Output: /liveness/result passed
}

func ExampleNewClient() {
	_, err := webanklive.NewClient("", "", webanklive.WithMaxRetries(-1))
	fmt.Println(err)
	// Output: webanklive: new client: app ID must not be empty or contain blanks; secret must not be empty or contain blanks; max retries must be 0 to 10
}

func ExampleClient_BuildLiveLoginURL() {
	c, _ := exampleClient()
	link, err := c.BuildLiveLoginURL(context.Background(), webanklive.LiveLoginRequest{
		OrderNo: "A1", UserID: "u1", CallbackURL: "https://shop.example/liveness/done",
		Entry: webanklive.EntryWeChat, SkipResultPage: true,
	})
	u, _ := url.Parse(link)
	fmt.Println(u.Path, u.Query().Get("orderNo"), u.Query().Get("url"), u.Query().Get("resultType"), err)
	// Output: /ida/api/wx/livelogin A1 https://shop.example/liveness/done 1 <nil>
}

func ExampleClient_BuildLiveLoginURL_invalid() {
	c, _ := exampleClient()
	_, err := c.BuildLiveLoginURL(context.Background(), webanklive.LiveLoginRequest{OrderNo: "A-1", CallbackURL: "/done"})
	fmt.Println(err)
	// Output: webanklive: build live login URL: OrderNo must be 1 to 32 ASCII letters and digits; UserID must be 1 to 32 of 0-9 A-Z a-z _ -; CallbackURL must be an absolute http or https URL
}

func ExampleClient_BuildMiniProgramLaunch() {
	c, _ := exampleClient()
	launch, err := c.BuildMiniProgramLaunch(context.Background(), webanklive.MiniProgramRequest{OrderNo: "A1", UserID: "u1"})
	fmt.Println(launch.AppID, launch.Path, launch.ExtraData["mode"], err)
	fmt.Println(launch) // without the signature
	// Output:
	// wx7ccfa42a2a641035 pages/pre digitlive <nil>
	// webanklive.MiniProgramLaunch{AppID: "wx7ccfa42a2a641035", Path: "pages/pre", OrderNo: "A1"}
}

func ExampleClient_VerifyCallback() {
	ctx := context.Background()
	c, platform := exampleClient()
	_, _ = c.Credential(ctx) // the launch has happened

	query := platform.CallbackQuery("A1", "0", "95")
	cb, err := c.VerifyCallback(ctx, query, "A1")
	fmt.Println(cb.OrderNo, cb.Code, err)

	_, err = c.VerifyCallback(ctx, query, "A2") // this session expects another order
	fmt.Println(errors.Is(err, webanklive.ErrOtherOrder), err)
	// Output:
	// A1 0 <nil>
	// true webanklive: verify callback: bad callback: orderNo is not the expected one
}

// The page gave up by itself, here because the browser cannot record. Such a return proves nothing.
func ExampleClient_VerifyCallback_unsigned() {
	c, _ := exampleClient()
	query := url.Values{"code": {"3001"}, "orderNo": {"A1"}}
	cb, err := c.VerifyCallback(context.Background(), query, "A1")
	if errors.Is(err, webanklive.ErrUnsignedCallback) {
		fmt.Println("offer another way to identify, code", cb.Code)
	}
	// Output: offer another way to identify, code 3001
}

func ExampleClient_GetLiveResult() {
	c, platform := exampleClient()
	platform.AddResult("A1", livetest.Failing("-5013"))

	res, err := c.GetLiveResult(context.Background(), webanklive.LiveResultRequest{OrderNo: "A1"})
	if errors.Is(err, webanklive.ErrNotPassed) {
		info, _ := webanklive.LookupCode(res.Code)
		fmt.Println(res.Code, info.Reason, info.Message)
	}
	// Output: -5013 quality 声音太小；录制时，确保周围环境安静
}

func ExampleClient_GetLiveResult_photo() {
	c, platform := exampleClient()
	platform.AddResult("A1", livetest.Passing())

	res, err := c.GetLiveResult(context.Background(), webanklive.LiveResultRequest{
		OrderNo: "A1", GetFile: webanklive.GetFilePhoto,
		WaitForMedia: 5 * time.Second, // media come a second or two after the result
	})
	fmt.Println(res.PhotoType, len(res.Photo) == int(res.PhotoSize), res.Video == nil, err)
	// Output: image/jpeg true true <nil>
}

func ExampleClient_StreamLiveMedia() {
	c, platform := exampleClient()
	platform.AddResult("A1", livetest.Passing())

	var photo bytes.Buffer // a temporary file that is renamed when the error is nil
	res, err := c.StreamLiveMedia(context.Background(), webanklive.LiveMediaRequest{OrderNo: "A1", Photo: &photo})
	fmt.Println(res.PhotoType, res.PhotoSize == int64(photo.Len()), err)
	// Output: image/jpeg true <nil>
}

func ExampleClient_Credential() {
	c, _ := exampleClient()
	credential, err := c.Credential(context.Background())
	fmt.Println(credential.AccessToken != "", credential.SignTicket != "", err)
	// Output: true true <nil>
}

func ExampleClient_Invalidate() {
	ctx := context.Background()
	c, platform := exampleClient()
	old, _ := c.Credential(ctx)
	platform.Revoke()

	c.Invalidate(ctx, old) // a process that asks this one was refused
	fresh, err := c.Credential(ctx)
	fmt.Println(fresh.AccessToken != old.AccessToken, err)
	// Output: true <nil>
}

func ExampleSign() {
	// The values of the vendor's livelogin page.
	fmt.Println(webanklive.Sign(
		"appId001", "userID19959248596551", "aabc1457895464", "1.0.0",
		"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS", // NONCE ticket
		"kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T"))                                // nonce
	// Output: BADF4F8B38DF09506CEBFF3347A7ACD908A43BF1
}
