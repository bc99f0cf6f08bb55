package main

import (
	"context"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/util"
)

type checked struct {
	Files int `json:"files"`
}

func checkPolicy(req *call) (any, error) {
	modules, _, err := check(req, capabilities(req.Builtins), false)
	return checked{Files: len(modules)}, err
}

type compiled struct {
	Wasm []byte `json:"wasm"`
}

func compilePolicy(req *call) (any, error) {
	caps := capabilities(req.Builtins)
	modules, _, err := check(req, caps, false)
	if err != nil {
		return nil, err
	}
	b := &bundle.Bundle{Data: map[string]any{}}
	// In order of name, so that the same sources give the same bytes.
	for _, file := range util.KeysSorted(modules) {
		b.Modules = append(b.Modules, bundle.ModuleFile{URL: file, Path: file, Parsed: modules[file]})
	}
	b.Manifest.Init()
	b.SetRegoVersion(ast.RegoV1)
	// Pruned: without it OPA adds every rule that depends on an entry point as a further entry point.
	c := compile.New().
		WithTarget(compile.TargetWasm).
		WithBundle(b).
		WithEntrypoints(req.Entrypoints...).
		WithCapabilities(caps).
		WithRegoVersion(ast.RegoV1).
		WithPruneUnused(true)
	if err := c.Build(context.Background()); err != nil {
		return nil, err
	}
	return compiled{Wasm: c.Bundle().WasmModules[0].Raw}, nil
}
