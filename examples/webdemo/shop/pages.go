package shop

// Templates and the two files they load. There is no build step.

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"time"
)

//go:embed pages
var files embed.FS

var templates = template.Must(template.ParseFS(files, "pages/*.html"))

// page renders into memory first, so that a broken template is an error and not half a page.
func (s *Shop) page(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, map[string]any{"Fake": s.Fake, "Page": data}); err != nil {
		s.Log.Error("page not rendered", "page", name, "err", err)
		http.Error(w, "page not rendered", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// message is a page that says one thing and leads back to the start.
func (s *Shop) message(w http.ResponseWriter, status int, zh, en string) {
	s.page(w, status, "message.html", map[string]string{"Zh": zh, "En": en})
}

func (s *Shop) static(w http.ResponseWriter, r *http.Request) {
	kinds := map[string]string{"shop.css": "text/css; charset=utf-8", "shop.js": "text/javascript; charset=utf-8"}
	kind, ok := kinds[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	content, err := files.ReadFile("pages/" + r.PathValue("file"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
