package main

// The credential store that WEBANK_STORE names, and the key of an encrypted one.

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/webanklive/webanklive"
	"github.com/webanklive/webanklive/filestore"
	"github.com/webanklive/webanklive/redisstore"
)

const memoryName = "memory"

var errStoreURL = usageError("WEBANK_STORE must be file:/path/dir, or redis:// or rediss:// with host and port, either also " +
	"with +cluster or +sentinel; what is special in a URL stands percent-encoded in it")

// openStore opens the store that WEBANK_STORE names; without a name it is this process's memory. Errors never quote the name,
// which may hold a password.
func (a *app) openStore(cfg *config) (*watchedStore, error) {
	scheme, rest, _ := strings.Cut(cfg.store, ":")
	switch {
	case cfg.store == "":
		return &watchedStore{CredentialStore: webanklive.NewMemoryStore(), name: memoryName}, nil
	case scheme == "file" && rest != "" && (!strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "///")):
		store, err := filestore.New(rest, filestore.WithLogger(a.logger()))
		if err != nil {
			return nil, usageError("%s", err.Error())
		}
		return &watchedStore{CredentialStore: store, name: cfg.store, dir: rest}, nil
	case strings.HasPrefix(scheme, "redis"):
		return a.openRedis(cfg)
	}
	return nil, errStoreURL
}

func init() { logging.Disable() } // the Redis client prints to standard error by itself

// The kinds of Redis that a store URL can name, after the + of its scheme.
const (
	redisSingle   = ""
	redisCluster  = "cluster"
	redisSentinel = "sentinel"
)

// redisTarget is a Redis store, opened.
type redisTarget struct {
	redis.UniversalClient
	kind     string
	prefix   string // of the Redis keys
	secure   bool   // TLS
	sealed   bool   // encrypted with WEBANK_STORE_KEY
	host     string // the first one of the URL
	sentinel *redis.FailoverOptions
}

// openRedis removes the parts of the URL that only this command knows, the scheme's suffix and the prefix, and gives the rest
// to the Redis client.
func (a *app) openRedis(cfg *config) (*watchedStore, error) {
	u, err := url.Parse(cfg.store)
	if err != nil || u.Host == "" || u.Fragment != "" {
		return nil, errStoreURL
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errStoreURL
	}
	name := u.Scheme + "://" + u.Host + u.Path
	scheme, kind, suffixed := strings.Cut(u.Scheme, "+")
	if scheme != "redis" && scheme != "rediss" || suffixed && kind == redisSingle {
		return nil, errStoreURL
	}
	target := &redisTarget{kind: kind, prefix: "webanklive", secure: scheme == "rediss", host: u.Hostname()}
	u.Scheme = scheme
	opts := []redisstore.Option{redisstore.WithLogger(a.logger())}
	if prefixes, given := query["prefix"]; given {
		if len(prefixes) != 1 || prefixes[0] == "" {
			return nil, usageError("the prefix in WEBANK_STORE is empty, or given twice")
		}
		target.prefix = prefixes[0]
		opts = append(opts, redisstore.WithPrefix(target.prefix))
		query.Del("prefix")
		u.RawQuery = query.Encode()
	}
	if cfg.storeKey != nil {
		target.sealed = true
		opts = append(opts, redisstore.WithEncryption(cfg.storeKey))
	}
	if err := target.connect(u.String()); err != nil {
		return nil, err
	}
	return &watchedStore{
		CredentialStore: redisstore.New(target.UniversalClient, opts...), name: name, redis: target, close: target.Close,
	}, nil
}

// connect makes the Redis client. It repeats no error of that client, because these quote parts of the URL.
func (r *redisTarget) connect(plain string) (err error) {
	refused := usageError("the Redis client refuses the URL of WEBANK_STORE: check the database number and the options")
	defer func() {
		if recover() != nil { // it panics for numbers that are out of range
			err = refused
		}
	}()
	switch r.kind {
	case redisSingle:
		options, err := redis.ParseURL(plain)
		if err != nil {
			return refused
		}
		r.UniversalClient = redis.NewClient(options)
	case redisCluster:
		options, err := redis.ParseClusterURL(plain)
		if err != nil {
			return refused
		}
		r.UniversalClient = redis.NewClusterClient(options)
	case redisSentinel:
		options, err := redis.ParseFailoverURL(plain)
		switch {
		case err != nil:
			return refused
		case options.MasterName == "":
			return usageError("the URL of WEBANK_STORE names no master: Sentinel needs ?master_name=…")
		case options.ReplicaOnly || options.RouteByLatency || options.RouteRandomly:
			return usageError("the URL of WEBANK_STORE asks replicas, and a credential is only refreshed at the master")
		}
		r.UniversalClient, r.sentinel = redis.NewFailoverClient(options), options
	default:
		return errStoreURL
	}
	return nil
}

// storeURL refuses a password in the flag: everybody on the machine sees arguments.
func (a *app) storeURL() (string, error) {
	if a.store == "" {
		return a.env("WEBANK_STORE"), nil
	}
	if strings.HasPrefix(a.store, "file:") {
		return a.store, nil
	}
	u, err := url.Parse(a.store)
	if err != nil || u.User != nil || u.Opaque != "" || hasPassword(u.RawQuery) {
		return "", errors.New("--store must not hold a user or password, which everybody on this machine would see: set WEBANK_STORE instead")
	}
	return a.store, nil
}

// hasPassword reports whether query names the user or the password of the servers behind Sentinel, or cannot be read.
func hasPassword(query string) bool {
	values, err := url.ParseQuery(query)
	return err != nil || values.Has("username") || values.Has("password")
}

const storeKeyBytes = 32 // AES-256

// storeKey returns the cipher of an encrypted store, nil without a key. Its errors quote nothing.
func (a *app) storeKey(ctx context.Context) (cipher.AEAD, error) {
	text, file, name := a.env("WEBANK_STORE_KEY"), a.env("WEBANK_STORE_KEY_FILE"), "WEBANK_STORE_KEY"
	switch {
	case text != "" && file != "":
		return nil, errors.New("WEBANK_STORE_KEY and WEBANK_STORE_KEY_FILE are both set")
	case file != "":
		var err error
		name = "the key in WEBANK_STORE_KEY_FILE"
		if text, err = secretFromFile(ctx, file); err != nil {
			return nil, err
		}
	case text == "":
		return nil, nil
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != storeKeyBytes {
		return nil, errors.New(name + " must be 64 hexadecimal digits")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
