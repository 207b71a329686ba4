package main

// doctor, the Redis part: what kind of Redis it is, and what this user may do there.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisProbe bounds each of the two checks, which the store would repeat for as long as its lease lives.
const redisProbe = 5 * time.Second

// topology compares the servers with the URL, and warns of settings that can lose or expose a credential.
func (d *doctor) topology(ctx context.Context, target *redisTarget) {
	ctx, cancel := context.WithTimeout(ctx, redisProbe)
	defer cancel()
	var text, wrong string
	var err error
	switch target.kind {
	case redisCluster:
		text, wrong, err = clusterTopology(ctx, target.UniversalClient)
	case redisSentinel:
		text, wrong, err = sentinelTopology(ctx, target.sentinel)
	default:
		text = "one server"
	}
	if err != nil {
		d.add(nameTopology, checkFailed, "%s", oneLine(err))
		return
	}
	info, server := infoOf(ctx, target)
	if server != "" {
		text += ", " + server
	}
	switch {
	case wrong != "":
		d.add(nameTopology, checkFailed, "%s: %s", text, wrong)
	case target.kind == redisSingle && info["redis_mode"] == "cluster" && hasOnlySome(ctx, target):
		d.add(nameTopology, checkFailed, clusterNode)
	case info["role"] == "slave":
		d.add(nameTopology, checkFailed, "this is a replica of %s:%s, which does not write: name the master, or ask Sentinel",
			info["master_host"], info["master_port"])
	case evicts(info):
		d.add(nameTopology, checkWarning, "%s; when it is full it evicts keys (%s), the credential and its lock among them: set noeviction", text, info["maxmemory_policy"])
	case !target.secure && !target.sealed && !isLoopback(target.host):
		d.add(nameTopology, checkWarning, "%s; not encrypted: who can listen on the way can act as the partner; use rediss", text)
	default:
		d.add(nameTopology, checkOK, "%s", text)
	}
}

// hasOnlySome reports whether the server has some of the keys only, as a node of a cluster has. A proxy in front of a cluster
// has all of them.
func hasOnlySome(ctx context.Context, target *redisTarget) bool {
	for i := range 16 {
		err := target.Get(ctx, fmt.Sprintf("%s:{%s%d}", target.prefix, probeName, i)).Err()
		if err != nil && strings.HasPrefix(err.Error(), "MOVED ") {
			return true
		}
	}
	return false
}

func evicts(info map[string]string) bool {
	limit, policy := info["maxmemory"], info["maxmemory_policy"]
	return limit != "" && limit != "0" && policy != "" && policy != "noeviction"
}

// infoOf asks the server of the probe's key for INFO, and returns its fields and a text for people. A user without the right to
// INFO gets no fields.
func infoOf(ctx context.Context, target *redisTarget) (info map[string]string, text string) {
	var server redis.Cmdable = target.UniversalClient
	if cluster, ok := target.UniversalClient.(*redis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, target.probeKey())
		if err != nil {
			return nil, ""
		}
		server = master
	}
	raw, err := server.Info(ctx).Result()
	switch {
	case err != nil && strings.Contains(err.Error(), "NOPERM"):
		return nil, "more is not known, because this user may not ask INFO"
	case err != nil:
		return nil, ""
	}
	info = map[string]string{}
	for line := range strings.Lines(raw) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	text = "version " + info["redis_version"]
	if target.kind != redisCluster {
		text += fmt.Sprintf(", %s with %s replicas", info["role"], info["connected_slaves"])
	}
	return info, text
}

// clusterTopology counts the servers, and finds slots that no server has.
func clusterTopology(ctx context.Context, rdb redis.UniversalClient) (text, wrong string, err error) {
	ranges, err := rdb.ClusterSlots(ctx).Result()
	if err != nil {
		return "", "", err
	}
	const slots = 16384
	served, masters, replicas := 0, map[string]bool{}, map[string]bool{}
	for _, r := range ranges {
		served += r.End - r.Start + 1
		for i, node := range r.Nodes {
			if i == 0 {
				masters[node.Addr] = true
			} else {
				replicas[node.Addr] = true
			}
		}
	}
	text = fmt.Sprintf("cluster of %d masters and %d replicas", len(masters), len(replicas))
	if served < slots {
		wrong = fmt.Sprintf("nobody serves %d of its %d slots", slots-served, slots)
	}
	return text, wrong, nil
}

// sentinelTopology asks every Sentinel of the URL: otherwise a wrong one would be noticed in a failover only, which is too late.
func sentinelTopology(ctx context.Context, options *redis.FailoverOptions) (text, wrong string, err error) {
	var silent, masters []string
	for _, addr := range options.SentinelAddrs {
		client := redis.NewSentinelClient(&redis.Options{
			Addr: addr, Username: options.SentinelUsername, Password: options.SentinelPassword, TLSConfig: options.TLSConfig,
			MaxRetries: -1, DialTimeout: redisProbe / 2, DialerRetries: 1,
		})
		master, failed := client.GetMasterAddrByName(ctx, options.MasterName).Result()
		_ = client.Close()
		if failed != nil || len(master) != 2 {
			silent, err = append(silent, addr), errors.Join(err, failed)
			continue
		}
		masters = append(masters, net.JoinHostPort(master[0], master[1]))
	}
	switch {
	case len(masters) == 0:
		return "", "", fmt.Errorf("no Sentinel knows the master %s: %w", options.MasterName, err)
	case len(silent) > 0:
		wrong = "no master from " + strings.Join(silent, ", ")
	}
	for _, master := range masters[1:] {
		if master != masters[0] {
			wrong = "the Sentinels do not agree on the master: " + strings.Join(masters, ", ")
		}
	}
	return fmt.Sprintf("%d of %d Sentinels, master %s at %s", len(masters), len(options.SentinelAddrs), options.MasterName, masters[0]), wrong, nil
}

// probeKey is the Redis key that permissions writes.
func (r *redisTarget) probeKey() string { return r.prefix + ":{" + probeName + "}" }

const (
	probeName = "doctor"
	probeLife = 10 * time.Second
)

// permissions tries what the store does, with a key of its own that expires.
func (d *doctor) permissions(ctx context.Context, s *watchedStore) {
	ctx, cancel := context.WithTimeout(ctx, redisProbe)
	defer cancel()
	user, err := s.redis.Do(ctx, "ACL", "WHOAMI").Text()
	if err != nil {
		user = "this user"
	}
	_, err = s.CredentialStore.Update(ctx, probeName, func(context.Context, []byte) ([]byte, time.Duration, error) {
		return []byte("{}"), probeLife, nil
	})
	if err == nil {
		_, err = s.CredentialStore.Load(ctx, probeName)
	}
	if err == nil { // the command that extends the lock of a slow mint
		err = s.redis.PExpire(ctx, s.redis.probeKey(), probeLife).Err()
	}
	switch {
	case err == nil:
		d.add(nameACL, checkOK, "%s may do what the store needs, tried on %s", user, s.redis.probeKey())
	case strings.Contains(err.Error(), "NOPERM") && !strings.Contains(err.Error(), "run the"):
		d.add(nameACL, checkWarning, "%s may not use the keys of the probe, %s*, so it was not tried: %s", user, s.redis.probeKey(), oneLine(err))
	default:
		d.add(nameACL, checkFailed, "%s needs GET, SET, DEL, PEXPIRE and EVAL on %s:*: %s", user, s.redis.prefix, oneLine(s.explain(err)))
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
