package main

// The configuration, from the environment, checked as a whole before anything starts.

import (
	"bytes"
	"cmp"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// config is what the environment says.
type config struct {
	listen  string
	siteURL *url.URL

	databaseURL, redisURL string
	dataDir               string // for what DATABASE_URL, REDIS_URL or WEBANK_EVIDENCE_DIR does not place; empty: a temporary one
	temporary             bool   // dataDir is one
	evidenceDir           string

	appID, secret, secretFile string // appID is empty for the sandbox
	apiURL, h5URL             string // empty: the vendor's
	rate                      float64

	sessionKey, storeKey []byte
	drain                time.Duration // between SIGTERM and the end of listening, so that balancers notice
	secretEvery          time.Duration // how often the secret's file is read
}

// readConfig reports every mistake at once.
func readConfig(env func(string) string) (*config, error) {
	cfg := &config{
		listen:      cmp.Or(env("LISTEN"), "127.0.0.1:8080"),
		databaseURL: env("DATABASE_URL"), redisURL: env("REDIS_URL"), dataDir: env("DATA_DIR"), evidenceDir: env("WEBANK_EVIDENCE_DIR"),
		appID: env("WEBANK_APP_ID"), secret: env("WEBANK_SECRET"), secretFile: env("WEBANK_SECRET_FILE"),
		apiURL: env("WEBANK_API_URL"), h5URL: env("WEBANK_H5_URL"),
		rate: 5, drain: 3 * time.Second, secretEvery: 5 * time.Second,
	}
	var wrong []error
	refuse := func(when bool, rule string) {
		if when {
			wrong = append(wrong, errors.New(rule))
		}
	}

	refuse(cfg.secret != "" && cfg.secretFile != "", "WEBANK_SECRET and WEBANK_SECRET_FILE must not both be set")
	hasSecret := cfg.secret != "" || cfg.secretFile != ""
	refuse((cfg.appID != "") != hasSecret, "WEBANK_APP_ID and a secret (WEBANK_SECRET or WEBANK_SECRET_FILE) must both be set, or neither")
	refuse((cfg.apiURL == "") != (cfg.h5URL == ""), "WEBANK_API_URL and WEBANK_H5_URL must both be set, or neither")
	refuse(cfg.apiURL != "" && cfg.appID == "", "WEBANK_API_URL needs WEBANK_APP_ID and a secret")
	if cfg.secretFile != "" {
		secret, err := readSecretFile(cfg.secretFile)
		cfg.secret = secret
		if err != nil {
			wrong = append(wrong, fmt.Errorf("WEBANK_SECRET_FILE: %w", err))
		}
	}

	var err error
	if cfg.siteURL, err = siteURL(env("SITE_URL"), cfg.listen); err != nil {
		wrong = append(wrong, err)
	} else {
		refuse(cfg.appID == "" && !isLoopback(cfg.siteURL.Hostname()), "a public SITE_URL needs WEBANK_APP_ID and a secret: the sandbox lets everybody pass")
	}
	if text := env("WEBANK_RATE"); text != "" {
		cfg.rate, err = strconv.ParseFloat(text, 64)
		refuse(err != nil || !(cfg.rate > 0) || math.IsInf(cfg.rate, 0), "WEBANK_RATE must be a positive number of queries a second")
	}
	if text := env("SHUTDOWN_DELAY"); text != "" {
		cfg.drain, err = time.ParseDuration(text)
		refuse(err != nil || cfg.drain < 0, "SHUTDOWN_DELAY must be a duration such as 3s")
	}
	if cfg.sessionKey, err = sessionKey(env("SESSION_KEY_FILE"), cfg.appID != "" || cfg.databaseURL != ""); err != nil {
		wrong = append(wrong, err)
	} else if cfg.storeKey, err = storeKey(env("WEBANK_STORE_KEY"), env("WEBANK_STORE_KEY_FILE"), cfg.sessionKey); err != nil {
		wrong = append(wrong, err)
	}
	return cfg, errors.Join(wrong...)
}

func siteURL(text, listen string) (*url.URL, error) {
	if text == "" {
		_, port, err := net.SplitHostPort(listen)
		if err != nil {
			return nil, errors.New("LISTEN must be host:port")
		}
		text = "http://localhost:" + port
	}
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil ||
		u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return nil, errors.New("SITE_URL must be https://host, or http for a loopback host, without a path")
	}
	return u, nil
}

// sessionKey reads the key that all replicas share. One process on a sandbox makes its own.
func sessionKey(file string, shared bool) ([]byte, error) {
	if file == "" {
		if shared {
			return nil, errors.New("SESSION_KEY_FILE must be set: all replicas need the same key, of at least 32 random bytes")
		}
		key := make([]byte, 32)
		_, err := rand.Read(key)
		return key, err
	}
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("SESSION_KEY_FILE: %w", err)
	}
	if key = bytes.TrimSuffix(bytes.TrimSuffix(key, []byte("\n")), []byte("\r")); len(key) < 32 {
		return nil, errors.New("SESSION_KEY_FILE must hold at least 32 bytes")
	}
	return key, nil
}

// storeKey is the key that seals the credential in Redis: given as 64 hex digits, as for the command webanklive, or derived.
func storeKey(text, file string, sessionKey []byte) ([]byte, error) {
	switch {
	case text != "" && file != "":
		return nil, errors.New("WEBANK_STORE_KEY and WEBANK_STORE_KEY_FILE must not both be set")
	case file != "":
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("WEBANK_STORE_KEY_FILE: %w", err)
		}
		text = strings.TrimSpace(string(content))
	case text == "":
		return hkdf.Key(sha256.New, sessionKey, nil, "webanklive credential store", 32)
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 32 {
		return nil, errors.New("the key of the credential store must be 64 hex digits")
	}
	return key, nil
}

// readSecretFile cuts the line end that editors and echo add.
func readSecretFile(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(content), "\r\n")
	if secret == "" {
		return "", errors.New("the file is empty")
	}
	return secret, nil
}

// makeDataDir makes the directory for what is placed nowhere else, if there is such a thing, and says so.
func (cfg *config) makeDataDir(log *slog.Logger) (err error) {
	if cfg.databaseURL != "" && cfg.redisURL != "" && cfg.evidenceDir != "" {
		return nil
	}
	if cfg.temporary = cfg.dataDir == ""; cfg.temporary {
		cfg.dataDir, err = os.MkdirTemp("", "webanklive-production-")
	} else {
		err = os.MkdirAll(cfg.dataDir, 0o700)
	}
	if cfg.evidenceDir == "" {
		cfg.evidenceDir = filepath.Join(cfg.dataDir, "evidence")
	}
	log.Warn("DATABASE_URL, REDIS_URL or WEBANK_EVIDENCE_DIR is not set: this process shares nothing with another, and keeps files on this machine",
		"dir", cfg.dataDir, "temporary", cfg.temporary)
	return err
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
