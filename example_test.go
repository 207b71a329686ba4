package webanklive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/livetest"
)

// exampleClient is a client for a fake platform; yours is webanklive.NewClient(appID, secret).
func exampleClient() (*webanklive.Client, *livetest.Platform) {
	platform := livetest.New()
	c, err := webanklive.NewClient(platform.AppID(), platform.Secret(),
		webanklive.WithBaseURLs(livetest.MemoryAPIURL, livetest.MemoryH5URL),
		webanklive.WithHTTPClient(&http.Client{Transport: platform.Transport()}))
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

func ExampleSign() {
	// The values of the vendor's livelogin page.
	fmt.Println(webanklive.Sign(
		"appId001", "userID19959248596551", "aabc1457895464", "1.0.0",
		"zxc9Qfxlti9iTVgHAjwvJdAZKN3nMuUhrsPdPlPVKlcyS50N6tlLnfuFBPIucaMS", // NONCE ticket
		"kHoSxvLZGxSoFsjxlbzEoUzh5PAnTU7T"))                                // nonce
	// Output: BADF4F8B38DF09506CEBFF3347A7ACD908A43BF1
}

func ExampleNewClient() {
	_, err := webanklive.NewClient("", "", webanklive.WithMaxRetries(-1))
	fmt.Println(err)
	// Output: webanklive: new client: app ID must not be empty or contain blanks; secret must not be empty or contain blanks; max retries must be 0 to 10
}

func ExampleClient_BuildLiveLoginURL() {
	c, _ := exampleClient()
	start := func(w http.ResponseWriter, r *http.Request) {
		link, err := c.BuildLiveLoginURL(r.Context(), webanklive.LiveLoginRequest{
			OrderNo: "A1", UserID: "u1", CallbackURL: "https://shop.example/liveness/done",
		})
		if err != nil {
			http.Error(w, "please try again", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.Redirect(w, r, link, http.StatusSeeOther)
	}
	http.NewServeMux().HandleFunc("GET /liveness/start", start)

	_, err := c.BuildLiveLoginURL(context.Background(), webanklive.LiveLoginRequest{OrderNo: "A-1", CallbackURL: "/done"})
	fmt.Println(err)
	// Output: webanklive: build live login URL: OrderNo must be 1 to 32 ASCII letters and digits; UserID must be 1 to 32 of 0-9 A-Z a-z _ -; CallbackURL must be an absolute http or https URL
}

func ExampleClient_BuildMiniProgramLaunch() {
	c, _ := exampleClient()
	launch, err := c.BuildMiniProgramLaunch(context.Background(), webanklive.MiniProgramRequest{OrderNo: "A1", UserID: "u1"})
	fmt.Println(launch.AppID, launch.Path, launch.ExtraData["mode"], err)
	// Output: wx7ccfa42a2a641035 pages/pre digitlive <nil>
}

func ExampleClient_VerifyCallback() {
	ctx := context.Background()
	c, platform := exampleClient()
	_, _ = c.Credential(ctx) // the launch has happened

	query := platform.CallbackQuery("A1", "0", "95")
	cb, err := c.VerifyCallback(ctx, query, "A1")
	fmt.Println(cb.OrderNo, cb.Code, err)

	_, err = c.VerifyCallback(ctx, query, "A2") // this session expects another order
	fmt.Println(errors.Is(err, webanklive.ErrBadCallback), err)
	// Output:
	// A1 0 <nil>
	// true webanklive: verify callback: bad callback: orderNo is not the expected one
}

func ExampleClient_GetLiveResult() {
	c, platform := exampleClient()
	platform.AddResult("A1", livetest.Failing("-5013"))

	res, err := c.GetLiveResult(context.Background(), webanklive.LiveResultRequest{OrderNo: "A1"})
	if errors.Is(err, webanklive.ErrNotPassed) {
		info, _ := webanklive.LookupCode(res.Code)
		fmt.Println(res.Code, info.Reason, info.Advice)
	}
	// Output: -5013 quality 视频里的声音太小
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
	credential, _ := c.Credential(context.Background())
	fmt.Println(credential.AccessToken != "", credential.SignTicket != "")
	// Output: true true
}

func ExampleLookupCode() {
	info, ok := webanklive.LookupCode("3001")
	fmt.Println(info.Class, info.Reason, info.Message, ok)
	// Output: not_passed device 该浏览器不支持视频录制 true
}

func ExampleRetryable() {
	err := error(&webanklive.Error{Op: "get live result", Code: "999999"})
	fmt.Println(webanklive.Retryable(err), errors.Is(err, webanklive.ErrUnavailable))
	// Output: true true
}
