package main

// The other side: a CredentialSource that asks the service.

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/webanklive/webanklive"
)

// remoteSource asks the token service at url. The client of the SDK remembers the answer, so there is no cache here.
type remoteSource struct {
	url, key string
	http     *http.Client
}

var _ webanklive.CredentialSource = (*remoteSource)(nil)

func (s *remoteSource) Credential(ctx context.Context) (webanklive.Credential, error) {
	var c webanklive.Credential
	body, err := s.do(ctx, http.MethodGet, "/credential", nil)
	if err == nil {
		err = json.Unmarshal(body, &c)
	}
	return c, err
}

func (s *remoteSource) Invalidate(ctx context.Context, refused webanklive.Credential) {
	body, err := json.Marshal(refused)
	if err == nil {
		// When it does not arrive, the next refusal reports it again.
		_, _ = s.do(ctx, http.MethodPost, "/credential/refused", body)
	}
}

func (s *remoteSource) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("token service: HTTP %d", resp.StatusCode)
	}
	return answer, err
}
