package main

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// testOnly are what OPA's test runner and print statements put into a module; compiled policies never hold them.
var testOnly = []string{"internal.print", "internal.test_case"}

const errorLimit = 100

// capabilities are OPA's own, reduced to the named built-ins, to Rego v1, and to no fetching of schemas.
func capabilities(builtins []string, more ...string) *ast.Capabilities {
	allowed := map[string]bool{}
	for _, name := range append(builtins, more...) {
		allowed[name] = true
	}
	own := ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(ast.RegoV1))
	caps := &ast.Capabilities{FutureKeywords: own.FutureKeywords, AllowNet: []string{}}
	for _, b := range own.Builtins {
		if allowed[b.Name] {
			caps.Builtins = append(caps.Builtins, b)
		}
	}
	for _, f := range own.Features {
		if f != ast.FeatureRegoV2 && f != ast.FeatureRegoV2Import {
			caps.Features = append(caps.Features, f)
		}
	}
	return caps
}

// parse reads all modules, collecting the errors of all of them.
func parse(req *call, caps *ast.Capabilities) (map[string]*ast.Module, error) {
	var errs ast.Errors
	modules := make(map[string]*ast.Module, len(req.Modules))
	seen := map[string]bool{}
	for _, m := range req.Modules {
		at := ast.NewLocation(nil, m.File, 1, 1)
		if seen[m.File] {
			errs = append(errs, ast.NewError(ast.CompileErr, at, "file %s is given twice", m.File))
			continue
		}
		seen[m.File] = true
		module, err := ast.ParseModuleWithOpts(m.File, m.Source, ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: caps})
		if err != nil {
			found := astErrors(err)
			if len(found) == 0 {
				found = []*ast.Error{ast.NewError(ast.ParseErr, at, "%s", err.Error())}
			}
			adviseOnV0(m, found[0])
			errs = append(errs, found...)
			continue
		}
		modules[m.File] = module
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return modules, nil
}

// adviseOnV0 adds a line to the first message of a file that is sound in the older syntax only.
func adviseOnV0(m sourceFile, first *ast.Error) {
	parses := func(v ast.RegoVersion) bool {
		_, err := ast.ParseModuleWithOpts(m.File, m.Source, ast.ParserOptions{RegoVersion: v})
		return err == nil
	}
	if parses(ast.RegoV1) || !parses(ast.RegoV0) {
		return
	}
	first.Message += "\nThis file is in Rego v0 syntax: convert it with `opa fmt --write --v0-v1 " + m.File +
		"`, or write `if` before each rule body and `contains` in each rule that makes a set."
}

// check parses and compiles the modules as OPA does before it evaluates or translates them.
func check(req *call, caps *ast.Capabilities, print bool) (map[string]*ast.Module, *ast.Compiler, error) {
	modules, err := parse(req, caps)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range modules {
		dropDefaults(m, req.DropDefaults)
	}
	compiler := newCompiler(caps, print)
	compiler.Compile(modules)
	if compiler.Failed() {
		nameMocks(modules, compiler.Errors)
		return nil, nil, compiler.Errors
	}
	return modules, compiler, nil
}

// nameMocks says of `with http.send as mock` what calling http.send would have said; OPA's own message names nothing.
func nameMocks(modules map[string]*ast.Module, errs ast.Errors) {
	for _, e := range errs {
		if !strings.HasPrefix(e.Message, "with keyword target must reference existing") || e.Location == nil {
			continue
		}
		ast.WalkWiths(modules[e.Location.File], func(w *ast.With) bool {
			if at := w.Target.Location; at.Row == e.Location.Row && at.Col == e.Location.Col {
				e.Message = "undefined function " + w.Target.String()
			}
			return false
		})
	}
}

func newCompiler(caps *ast.Capabilities, print bool) *ast.Compiler {
	return ast.NewCompiler().
		WithCapabilities(caps).
		WithDefaultRegoVersion(ast.RegoV1).
		WithEnablePrintStatements(print).
		SetErrorLimit(errorLimit)
}

// dropDefaults makes the default rules named (approver_tier in every package, or jitsudo/approval/approver_tier in one)
// never apply. They become rules whose body is false rather than disappearing, so that references to them, entry points
// and their types stay as they were.
func dropDefaults(m *ast.Module, names []string) {
	for _, r := range m.Rules {
		if !r.Default || len(r.Head.Args) > 0 {
			continue
		}
		path, err := r.Ref().Ptr()
		if err != nil {
			continue
		}
		if slices.Contains(names, path) || slices.Contains(names, r.Head.Ref().String()) {
			r.Default = false
			r.Body = ast.NewBody(ast.NewExpr(ast.BooleanTerm(false)).SetLocation(r.Location))
		}
	}
}
