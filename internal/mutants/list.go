package main

// Which file gets which defects; the list_ files beside this one have them. Each defect replaces a text that occurs once in its
// file. The tests that should notice are those of a whole package (of the root: also internal/conformance), never one that
// was picked for the defect.

// A mutant is one defect made on purpose.
type mutant struct {
	name     string
	file     string // from the root of the repository
	tests    string // directory of the package whose tests should notice
	old, new string
}

// A defect is a mutant without what it shares with the others of its file.
type defect struct{ name, old, new string }

func mutants() []mutant {
	var all []mutant
	for _, f := range []struct {
		file, tests string
		defects     []defect
	}{
		{"sign.go", ".", signing},
		{"callback.go", ".", callback},
		{"credential_cache.go", ".", cache},
		{"mint.go", ".", mint},
		{"credential_store.go", ".", origin},
		{"credential_source.go", ".", source},
		{"credential_foreign.go", ".", foreign},
		{"credential.go", ".", credential},
		{"ticket.go", ".", ticket},
		{"livelogin.go", ".", liveLogin},
		{"result.go", ".", result},
		{"send.go", ".", send},
		{"transport.go", ".", transport},
		{"instrumentation.go", ".", instrumentation},
		{"default_transport.go", ".", defaultTransport},
		{"retry.go", ".", retry},
		{"redact.go", ".", redact},
		{"observe.go", ".", observe},
		{"reply.go", ".", reply},
		{"errors.go", ".", classes},
		{"codes.go", ".", codes},
		{"credential_store.go", "storetest", store},
		{"client.go", ".", client},
		{"client_value.go", ".", clientValue},
		{"option.go", ".", option},
		{"clock.go", ".", clock},
		{"internal/jsonmedia/object.go", "internal/jsonmedia", object},
		{"internal/jsonmedia/memory.go", "internal/jsonmedia", memory},
		{"internal/jsonmedia/media.go", "internal/jsonmedia", media},
		{"internal/jsonmedia/kind.go", "internal/jsonmedia", kind},
		{"evidence/evidence.go", "evidence", evidence},
		{"filestore/filestore.go", "filestore", fileStore},
		{"filestore/lock.go", "filestore", fileLock},
		{"filestore/reserve.go", "filestore", fileReserve},
		{"filestore/modes_unix.go", "filestore", fileModes},
		{"filestore/envelope.go", "filestore", fileEnvelope},
		{"examples/nethttp/handler.go", "examples/nethttp", handlersToCopy},
		{"examples/nethttp/site.go", "examples/nethttp", siteToCopy},
		{"examples/miniprogram/site.go", "examples/miniprogram", miniProgram},
		{"examples/webdemo/shop/handlers.go", "examples/webdemo/shop", demoHandlers},
		{"examples/webdemo/shop/reading.go", "examples/webdemo/shop", demoTexts},
		{"examples/webdemo/main.go", "examples/webdemo", demoSettings},
		{"examples/production/handlers.go", "examples/production", productionHandlers},
		{"examples/production/routes.go", "examples/production", productionRoutes},
		{"examples/production/config.go", "examples/production", productionConfig},
		{"examples/production/session.go", "examples/production", productionSessions},
		{"examples/production/platform.go", "examples/production", productionPlatform},
		{"examples/production/main.go", "examples/production", productionMain},
		{"redisstore/scripts.go", "redisstore", redisScripts},
		{"redisstore/lock.go", "redisstore", redisLock},
		{"redisstore/command.go", "redisstore", redisCommand},
		{"redisstore/seal.go", "redisstore", redisSeal},
		{"redisstore/redisstore.go", "redisstore", redisStore},
		{"checks/service.go", "checks", checksService},
		{"checks/run.go", "checks", checksRun},
		{"checks/step.go", "checks", checksStep},
		{"evidence/directory.go", "evidence", evidenceDirectory},
		{"sqlchecks/store.go", "sqlchecks", sqlStore},
		{"sqlchecks/statements.go", "sqlchecks", sqlStatements},
		{"sqlchecks/schema.go", "sqlchecks", sqlSchema},
		{"sqlchecks/errors.go", "sqlchecks", sqlErrors},
		{"cmd/webanklive/store.go", "cmd/webanklive", commandStore},
		{"cmd/webanklive/watched.go", "cmd/webanklive", commandWatched},
		{"cmd/webanklive/platform.go", "cmd/webanklive", commandPlatform},
		{"cmd/webanklive/result.go", "cmd/webanklive", commandResult},
		{"cmd/webanklive/output.go", "cmd/webanklive", commandOutput},
		{"cmd/webanklive/doctor.go", "cmd/webanklive", commandDoctor},
		{"cmd/webanklive/doctor_redis.go", "cmd/webanklive", commandDoctorRedis},
		{"cmd/webanklive/authority.go", "cmd/webanklive", commandAuthority},
		{"cmd/webanklive/sandbox.go", "cmd/webanklive", commandSandbox},
		{"cmd/webanklive/mistakes_values.go", "cmd/webanklive", commandValues},
		{"cmd/webanklive/mistakes_hash.go", "cmd/webanklive", commandHash},
	} {
		for _, d := range f.defects {
			all = append(all, mutant{d.name, f.file, f.tests, d.old, d.new})
		}
	}
	return all
}
