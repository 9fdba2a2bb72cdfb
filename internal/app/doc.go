// Package app is the composition root: it turns a config file into objects, runs them, reloads them and lets them drain. It is
// the only package that sees package config. Layer L6.
//
//	file.go       config file -> where things lie
//	policy.go     config file -> policy.Config
//	lists.go      config file -> list sources
//	core.go       the gate with its policy and lists, shared by the data path and the command line
//	service.go    everything put together; reload
//	run.go        start, signals, drain
//	control.go    what the admin listener and the control socket ask; metrics.go: what they show
//	check.go      what `weir check` asks of the same gate; resolve.go with the network; inspect.go for files
//	offline.go    validate, lists and ca without a running weir; listtest.go for `lists test`
package app
