module github.com/webanklive/webanklive/filestore

go 1.24.0

require (
	github.com/gofrs/flock v0.13.0
	github.com/stretchr/testify v1.12.1
	github.com/webanklive/webanklive v0.0.0
)

require (
	github.com/google/go-querystring v1.2.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.19.0 // indirect
	golang.org/x/sys v0.37.0 // indirect
)

replace github.com/webanklive/webanklive => ../
