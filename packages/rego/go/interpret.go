package main

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

type evaluated struct {
	Results []solution `json:"results"`
	Output  string     `json:"output"`
	Trace   string     `json:"trace"`
}

// A solution gives each value as JSON text, so that the host can keep numbers that its own type would round.
type solution struct {
	Values   []string       `json:"values"`
	Bindings map[string]any `json:"bindings"`
}

// interpret evaluates a query as `opa eval` does. Errors of built-ins are undefined, as everywhere in OPA.
func interpret(req *call) (any, error) {
	_, compiler, err := check(req, capabilities(req.Builtins, testOnly...), true)
	if err != nil {
		return nil, err
	}
	var printed, traced bytes.Buffer
	options := []func(*rego.Rego){
		rego.Query(req.Query),
		rego.Compiler(compiler),
		rego.SetRegoVersion(ast.RegoV1),
		rego.EnablePrintStatements(true),
		rego.PrintHook(topdown.NewPrintHook(&printed)),
	}
	if req.Input != nil {
		input, err := ast.ValueFromReader(bytes.NewReader(req.Input))
		if err != nil {
			return nil, err
		}
		options = append(options, rego.ParsedInput(input))
	}
	tracer := topdown.NewBufferTracer()
	if req.Trace {
		options = append(options, rego.QueryTracer(tracer))
	}
	set, err := rego.New(options...).Eval(context.Background())
	if err != nil {
		return nil, inEvaluation(err)
	}
	if req.Trace {
		topdown.PrettyTraceWithLocation(&traced, *tracer)
	}
	out := evaluated{Results: []solution{}, Output: printed.String(), Trace: traced.String()}
	for _, r := range set {
		s := solution{Values: []string{}, Bindings: r.Bindings}
		for _, e := range r.Expressions {
			text, err := json.Marshal(e.Value)
			if err != nil {
				return nil, err
			}
			s.Values = append(s.Values, string(text))
		}
		out.Results = append(out.Results, s)
	}
	return out, nil
}

// An evaluationError says that a sound policy has no answer to one input (two values for one rule).
type evaluationError struct{ error }

func (e evaluationError) Unwrap() error { return e.error }

func inEvaluation(err error) error {
	if e, ok := err.(*topdown.Error); ok {
		return evaluationError{&ast.Error{Code: e.Code, Message: e.Message, Location: e.Location}}
	}
	return err
}
