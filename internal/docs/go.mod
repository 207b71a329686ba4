module github.com/webanklive/webanklive/internal/docs

go 1.26.0

require (
	github.com/stretchr/testify v1.12.1
	github.com/webanklive/webanklive v0.0.0-00010101000000-000000000000
)

require (
	github.com/google/go-querystring v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.19.0 // indirect
)

replace github.com/webanklive/webanklive => ../../
