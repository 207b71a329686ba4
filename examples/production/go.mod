module github.com/webanklive/webanklive/examples/production

go 1.26.0

require (
	github.com/gin-gonic/gin v1.12.0
	github.com/stretchr/testify v1.12.1
	github.com/webanklive/webanklive v0.0.0
	github.com/webanklive/webanklive/filestore v0.0.0
	github.com/webanklive/webanklive/otelwebanklive v0.0.0
	github.com/webanklive/webanklive/redisstore v0.0.0
	github.com/webanklive/webanklive/sqlchecks v0.0.0
)

replace (
	github.com/webanklive/webanklive => ../../
	github.com/webanklive/webanklive/filestore => ../../filestore
	github.com/webanklive/webanklive/otelwebanklive => ../../otelwebanklive
	github.com/webanklive/webanklive/redisstore => ../../redisstore
	github.com/webanklive/webanklive/sqlchecks => ../../sqlchecks
)
