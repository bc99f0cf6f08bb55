package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// A diagnostic is one thing wrong with a policy. Row and Col start at 1; 0 with no file is about the policy as a whole.
type diagnostic struct {
	File    string `json:"file"`
	Row     int    `json:"row"`
	Col     int    `json:"col"`
	Code    string `json:"code"`
	Message string `json:"message"`
	// Builtin is the built-in of OPA that the policy may not use; the host says why.
	Builtin string `json:"builtin,omitempty"`
}

func diagnose(err error) []diagnostic {
	var found []diagnostic
	for _, e := range astErrors(err) {
		d := diagnostic{Code: e.Code, Message: e.Message}
		if e.Location != nil {
			d.File, d.Row, d.Col = e.Location.File, e.Location.Row, e.Location.Col
		}
		d.Builtin = refusedBuiltin(e.Message)
		found = append(found, d)
	}
	if len(found) == 0 {
		found = append(found, diagnostic{Code: ast.CompileErr, Message: err.Error()})
	}
	slices.SortStableFunc(found, func(a, b diagnostic) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Row != b.Row {
			return a.Row - b.Row
		}
		return a.Col - b.Col
	})
	return found
}

func astErrors(err error) []*ast.Error {
	var many ast.Errors
	if errors.As(err, &many) {
		return many
	}
	var one *ast.Error
	if errors.As(err, &one) {
		return []*ast.Error{one}
	}
	return nil
}

// refusedBuiltin relies on the compiler's words because an unlisted built-in is, to OPA, a function that nobody wrote;
// names that the policy itself defines or imports have been resolved before that.
func refusedBuiltin(message string) string {
	name, ok := strings.CutPrefix(message, "undefined function ")
	if !ok {
		return ""
	}
	if _, known := ast.BuiltinMap[name]; known {
		return name
	}
	return ""
}
