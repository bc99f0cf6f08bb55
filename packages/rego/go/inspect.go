package main

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"
	"github.com/open-policy-agent/opa/v1/util"
)

type moduleInfo struct {
	File    string       `json:"file"`
	Package string       `json:"package"`
	Imports []importInfo `json:"imports"`
	Rules   []ruleInfo   `json:"rules"`
}

type importInfo struct {
	Path  string `json:"path"`
	Alias string `json:"alias,omitempty"`
}

type ruleInfo struct {
	Name    string    `json:"name"`
	Kind    string    `json:"kind"`
	Row     int       `json:"row"`
	Default bool      `json:"default"`
	Value   *constant `json:"constant,omitempty"`
	Type    typeInfo  `json:"type"`
}

// A constant is wrapped so that null and false differ from "not constant".
type constant struct {
	Value any `json:"value"`
}

// A typeInfo lists the kinds that a value can have ("any" if nothing is known), and for arrays and sets those of their
// members.
type typeInfo struct {
	Kinds []string `json:"kinds"`
	Of    []string `json:"of,omitempty"`
}

func inspect(req *call) (any, error) {
	caps := capabilities(req.Builtins)
	// Read before compiling, which rewrites rules.
	modules, err := parse(req, caps)
	if err != nil {
		return nil, err
	}
	_, compiler, err := check(req, caps, false)
	if err != nil {
		return nil, err
	}
	out := []moduleInfo{}
	for _, file := range util.KeysSorted(modules) {
		m := modules[file]
		info := moduleInfo{File: file, Package: strings.TrimPrefix(m.Package.Path.String(), "data."), Imports: []importInfo{}, Rules: []ruleInfo{}}
		for _, i := range m.Imports {
			info.Imports = append(info.Imports, importInfo{Path: i.Path.String(), Alias: string(i.Alias)})
		}
		for _, r := range m.Rules {
			// A chain of else is one rule to OPA; each link can have a value of its own.
			for link := r; link != nil; link = link.Else {
				info.Rules = append(info.Rules, inspectRule(m, link, compiler.TypeEnv))
			}
		}
		out = append(out, info)
	}
	return out, nil
}

func inspectRule(m *ast.Module, r *ast.Rule, env *ast.TypeEnv) ruleInfo {
	ref := r.Head.Ref().GroundPrefix()
	info := ruleInfo{Name: ref.String(), Kind: ruleKind(r), Row: r.Location.Row, Default: r.Default}
	if v := r.Head.Value; v != nil && ast.IsConstant(v.Value) {
		if value, err := ast.JSON(v.Value); err == nil {
			info.Value = &constant{Value: value}
		}
	}
	t := env.GetByRef(m.Package.Path.Extend(ref))
	if f, ok := t.(*types.Function); ok {
		t = f.Result()
	}
	info.Type = typeInfo{Kinds: kinds(t), Of: members(t)}
	return info
}

func ruleKind(r *ast.Rule) string {
	switch {
	case len(r.Head.Args) > 0:
		return "function"
	case r.Head.RuleKind() == ast.MultiValue:
		return "set"
	case !r.Head.Ref().IsGround():
		return "object"
	default:
		return "complete"
	}
}

// kinds flattens unions, so that a type is a list of names.
func kinds(t types.Type) []string {
	switch t := t.(type) {
	case types.Null:
		return []string{"null"}
	case types.Boolean:
		return []string{"boolean"}
	case types.Number:
		return []string{"number"}
	case types.String:
		return []string{"string"}
	case *types.Array:
		return []string{"array"}
	case *types.Object:
		return []string{"object"}
	case *types.Set:
		return []string{"set"}
	case *types.NamedType:
		return kinds(t.Type)
	case types.Any:
		out := []string{}
		for _, one := range t {
			out = append(out, kinds(one)...)
		}
		if len(out) > 0 {
			slices.Sort(out)
			return slices.Compact(out)
		}
	}
	return []string{"any"}
}

func members(t types.Type) []string {
	switch t := t.(type) {
	case *types.NamedType:
		return members(t.Type)
	case *types.Set, *types.Array:
		return kinds(types.Values(t))
	default:
		return nil
	}
}
