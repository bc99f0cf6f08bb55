package main

import (
	"encoding/json"
	"errors"
	"fmt"
)

type sourceFile struct {
	File   string `json:"file"`
	Source string `json:"source"`
}

// A call names one operation; each operation reads only the fields that it needs.
type call struct {
	Op           string          `json:"op"`
	Modules      []sourceFile    `json:"modules"`
	Builtins     []string        `json:"builtins"`
	Entrypoints  []string        `json:"entrypoints"`
	DropDefaults []string        `json:"dropDefaults"`
	File         string          `json:"file"`
	Source       string          `json:"source"`
	Query        string          `json:"query"`
	Input        json.RawMessage `json:"input"`
	Trace        bool            `json:"trace"`
}

// An outcome holds exactly one of: the operation's result, what is wrong with the policy, why it has no answer to this
// input, or what went wrong here.
type outcome struct {
	Result      any          `json:"result,omitempty"`
	Diagnostics []diagnostic `json:"diagnostics,omitempty"`
	Evaluation  []diagnostic `json:"evaluation,omitempty"`
	Fault       string       `json:"fault,omitempty"`
}

func answer(raw []byte) (out []byte) {
	// A panic in OPA must reach the host as a crash of this call, with its text, instead of a bare trap.
	defer func() {
		if p := recover(); p != nil {
			out = encode(outcome{Fault: fmt.Sprintf("panic: %v", p)})
		}
	}()
	var req call
	if err := json.Unmarshal(raw, &req); err != nil {
		return encode(outcome{Fault: "unreadable request: " + err.Error()})
	}
	result, err := dispatch(&req)
	var failed evaluationError
	if errors.As(err, &failed) {
		return encode(outcome{Evaluation: diagnose(failed.error)})
	}
	if err != nil {
		return encode(outcome{Diagnostics: diagnose(err)})
	}
	return encode(outcome{Result: result})
}

func dispatch(req *call) (any, error) {
	switch req.Op {
	case "compile":
		return compilePolicy(req)
	case "check":
		return checkPolicy(req)
	case "format":
		return formatFile(req)
	case "test":
		return testPolicy(req)
	case "interpret":
		return interpret(req)
	case "inspect":
		return inspect(req)
	default:
		panic("unknown operation " + req.Op)
	}
}

func encode(r outcome) []byte {
	out, err := json.Marshal(r)
	if err != nil {
		return []byte(`{"fault":"the answer cannot be written as JSON"}`)
	}
	return out
}
