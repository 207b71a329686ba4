module github.com/webanklive/webanklive/cmd/webanklive

go 1.25.0

require (
	github.com/creack/pty v1.1.24
	github.com/mdp/qrterminal/v3 v3.2.1
	github.com/redis/go-redis/v9 v9.22.0
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.1.0
	github.com/webanklive/webanklive v0.0.0
	github.com/webanklive/webanklive/filestore v0.0.0
	github.com/webanklive/webanklive/redisstore v0.0.0
	golang.org/x/term v0.45.0
)

require (
	github.com/stretchr/testify v1.12.1
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

require (
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/gofrs/flock v0.13.0 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	go.uber.org/atomic v1.11.0 // indirect
	golang.org/x/sync v0.19.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
	rsc.io/qr v0.2.0 // indirect
)

replace (
	github.com/webanklive/webanklive => ../..
	github.com/webanklive/webanklive/filestore => ../../filestore
	github.com/webanklive/webanklive/redisstore => ../../redisstore
)
