module github.com/webanklive/webanklive/bench

go 1.26.0

replace github.com/webanklive/webanklive => ../

require (
	github.com/bytedance/sonic v1.15.5
	github.com/cloudwego/base64x v0.1.6
	github.com/go-json-experiment/json v1.27.2
	github.com/segmentio/asm v1.2.1
	github.com/webanklive/webanklive v0.0.0
	golang.org/x/sys v0.22.0
)

require (
	github.com/bytedance/gopkg v0.1.3 // indirect
	github.com/bytedance/sonic/loader v0.5.3 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/klauspost/cpuid/v2 v2.2.9 // indirect
	github.com/twitchyliquid64/golang-asm v0.15.1 // indirect
	golang.org/x/arch v0.0.0-20210923205945-b76863e36670 // indirect
	golang.org/x/sync v0.19.0 // indirect
)
