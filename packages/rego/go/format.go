package main

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
)

type formatted struct {
	Source string `json:"source"`
}

func formatFile(req *call) (any, error) {
	file := sourceFile{File: req.File, Source: req.Source}
	if _, err := parse(&call{Modules: []sourceFile{file}}, nil); err != nil {
		return nil, err
	}
	out, err := format.SourceWithOpts(req.File, []byte(req.Source), format.Opts{RegoVersion: ast.RegoV1})
	return formatted{Source: string(out)}, err
}
