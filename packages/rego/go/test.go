package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"
)

// The host bounds a call by ending the program, which works while Go is busy; a timer in here would not fire.
const noTimeout = 24 * time.Hour

type testResult struct {
	Package    string `json:"package"`
	Name       string `json:"name"`
	Outcome    string `json:"outcome"`
	DurationNs int64  `json:"durationNs"`
	File       string `json:"file"`
	Row        int    `json:"row"`
	Output     string `json:"output"`
}

func testPolicy(req *call) (any, error) {
	caps := capabilities(req.Builtins, testOnly...)
	modules, _, err := check(req, caps, true)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	store := inmem.New()
	txn, err := store.NewTransaction(ctx, storage.TransactionParams{})
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, txn)
	runs, err := tester.NewRunner().
		SetCompiler(newCompiler(caps, true)).
		SetDefaultRegoVersion(ast.RegoV1).
		SetParallel(1).
		SetTimeout(noTimeout).
		CapturePrintOutput(true).
		SetStore(store).
		SetModules(modules).
		RunTests(ctx, txn)
	if err != nil {
		return nil, err
	}
	results := []testResult{}
	for r := range runs {
		if r != nil {
			results = append(results, describe(r))
		}
	}
	slices.SortStableFunc(results, func(a, b testResult) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Row - b.Row
	})
	return results, nil
}

func describe(r *tester.Result) testResult {
	out := testResult{
		Package:    r.Package,
		Name:       r.Name,
		Outcome:    "pass",
		DurationNs: r.Duration.Nanoseconds(),
		Output:     string(r.Output),
	}
	if r.Location != nil {
		out.File, out.Row = r.Location.File, r.Location.Row
	}
	switch {
	case r.Error != nil:
		out.Outcome = "error"
		out.Output += r.Error.Error()
	case r.Skip:
		out.Outcome = "skip"
	case r.Fail:
		out.Outcome = "fail"
	}
	return out
}
