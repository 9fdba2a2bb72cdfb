// Package app is the composition root: it turns a config file into objects, runs them, reloads them and lets them drain. It is
// the only package that sees package config. Layer L6.
//
//	file.go     config file -> where things lie
//	policy.go   config file and lists -> policy.Snapshot
//	lists.go    config file -> list sources
//	app.go      everything put together; run, reload, drain
//	check.go    what `weir check` and `weir inspect` ask of the same gate
package app
