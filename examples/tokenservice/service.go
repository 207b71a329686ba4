package main

// The service: one process mints, and hands the credential to those who know the key.

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/webanklive/webanklive"
)

// newService serves the credential of source, which is the only client in the company that mints. Callers show key as
// a bearer token. Serve it over TLS: whoever reads an answer can act as the partner for up to two hours.
//
//	GET  /credential          the newest credential
//	POST /credential/refused  the platform refused this credential
func newService(source webanklive.CredentialSource, key string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /credential", func(w http.ResponseWriter, r *http.Request) {
		credential, err := source.Credential(r.Context())
		if err != nil {
			http.Error(w, "no credential at the moment", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(credential)
	})
	mux.HandleFunc("POST /credential/refused", func(w http.ResponseWriter, r *http.Request) {
		var refused webanklive.Credential
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<10)).Decode(&refused); err != nil {
			http.Error(w, "not a credential", http.StatusBadRequest)
			return
		}
		source.Invalidate(r.Context(), refused)
		w.WriteHeader(http.StatusNoContent)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || key == "" || subtle.ConstantTimeCompare([]byte(shown), []byte(key)) != 1 {
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}
