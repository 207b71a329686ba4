// The pages that a browser sees: templates, what they load, the outcomes they offer, and the headers that keep them safe.

package livetest

import (
	"bytes"
	"crypto/rand"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
)

//go:embed h5
var h5 embed.FS

var pages = template.Must(template.ParseFS(h5, "h5/*.html"))

// outcome is a code that a developer may choose instead of a recording, with the vendor's words for it.
type outcome struct{ Code, Message string }

// outcomes are the codes worth a try: what each sort of failure looks like to the partner. Any other can be typed in.
var outcomes = []struct {
	Label string
	Codes []outcome
}{
	{"通过 Passed", []outcome{{"0", "核身认证通过"}}},
	{"活体 Liveness", []outcome{
		{"-5002", "活体检测失败；录制时，普通话大声读数字"},
		{"-5019", "请确保本人操作且正脸对框"},
		{"66663002", "该订单号人脸识别未通过"},
	}},
	{"质量 Quality", []outcome{
		{"-5005", "离屏幕太近或太远；录制时，确保人脸清晰完整"},
		{"-5010", "声音未能识别；请大声慢读一遍数字"},
		{"-5011", "未识别到人脸；请保持本人操作且正脸对框"},
		{"-5012", "视频中人脸被遮挡"},
		{"-5013", "声音太小；录制时，确保周围环境安静"},
		{"-5015", "视频不清晰；建议更换手机重试"},
		{"-5018", "未识别到眨眼；录制时请保持正脸对框且眨眼"},
		{"-5023", "光线太强，请到室内识别"},
	}},
	{"攻击 Attack", []outcome{{"-5016", "活体检测不通过"}, {"-15003", "请确保本人操作且正脸对框"}}},
	{"身份 Identity", []outcome{{"66660004", "无法确认为同一人"}}},
	{"风险 Risk", []outcome{{"66660007", "风险控制不过"}}},
	{"次数 Attempts", []outcome{{"66660017", "验证次数超限"}}},
	{"设备，无签名 Device, unsigned", []outcome{
		{"3001", "该浏览器不支持视频录制"},
		{"3002", "登录态异常，cookie 参数缺失"},
		{"3003", "人脸核身中途中断"},
		{"3004", "无摄像头权限"},
		{"3005", "该浏览器不支持实时检测模式"},
		{"300101", "报文包体问题"},
	}},
	{"未知 Unknown", []outcome{{"-99999", "文档中没有的代码 a code that no page names"}}},
}

// digits returns the four that the person reads.
func digits() []string {
	b := make([]byte, 4)
	rand.Read(b) // never fails since Go 1.24
	text := make([]string, len(b))
	for i := range b {
		text[i] = strconv.Itoa(int(b[i]) % 10)
	}
	return text
}

// asset serves what the pages load. It is no operation of the platform: it is not counted and cannot be sabotaged.
func (p *Platform) asset(w http.ResponseWriter, r *http.Request) (served bool) {
	name, ok := strings.CutPrefix(r.URL.Path, "/ida/h5/")
	kind := map[string]string{".css": "text/css", ".js": "text/javascript"}[path.Ext(name)]
	if !ok || kind == "" || r.Method != http.MethodGet {
		return false
	}
	content, err := h5.ReadFile("h5/" + name)
	if err != nil {
		return false
	}
	p.date(w)
	send(w, http.StatusOK, kind+"; charset=utf-8", content)
	return true
}

func page(w http.ResponseWriter, status int, title, reason string) {
	render(w, status, "plain.html", struct{ Title, Reason string }{title, reason}, "")
}

// render sends a page. Forms may be sent to the platform, and on to the origin of callback, where a finished check is
// redirected to.
func render(w http.ResponseWriter, status int, name string, data any, callback string) {
	var b bytes.Buffer
	_ = pages.ExecuteTemplate(&b, name, data) // into memory, of fixed templates
	w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "+
		"img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"+origin(callback))
	send(w, status, "text/html; charset=utf-8", b.Bytes())
}

// reply answers the page's script.
func reply(w http.ResponseWriter, status int, answer any) {
	text, _ := json.Marshal(answer) // strings and booleans
	send(w, status, "application/json", text)
}

func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // html/template, json.Marshal or an embedded file
}

var isPlainHost = regexp.MustCompile(`^[0-9A-Za-z.:\[\]-]+$`).MatchString

// origin returns " scheme://host" of an address, or nothing for a host that would not fit into a policy.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || !isPlainHost(u.Host) {
		return ""
	}
	return " " + u.Scheme + "://" + u.Host
}
