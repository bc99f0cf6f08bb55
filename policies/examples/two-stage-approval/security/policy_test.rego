package jitsudo.approval_test

import data.jitsudo.approval

now := "2026-01-14T10:00:00Z"

ask(radius, amr, signed_in) := {
	"action": "approve",
	"user": {"amr": amr, "auth_time": signed_in},
	"context": {"labels": {"blast_radius": radius}, "now_ns": time.parse_rfc3339_ns(now)},
}

fresh := ask("high", ["pwd", "mfa"], "2026-01-14T09:50:00Z")

test_security_decides_on_what_reaches_far if {
	approval.approvers == {"group:security", "user:ciso@example.com"} with input as fresh
	approval.min_approvals == 2 with input as fresh
}

test_nobody_is_named_otherwise if {
	document := ask("low", [], "")
	count(approval.approvers) == 0 with input as document
	not approval.min_approvals with input as document
	count(approval.deny) == 0 with input as document
}

test_a_fresh_second_factor_is_enough if count(approval.deny) == 0 with input as fresh

test_an_old_sign_in_is_not if {
	count(approval.deny) == 1 with input as ask("high", ["mfa"], "2026-01-14T09:44:59Z")
}

test_a_password_alone_is_not if {
	count(approval.deny) == 1 with input as ask("high", ["pwd"], "2026-01-14T09:59:00Z")
}

test_no_sign_in_time_is_not if count(approval.deny) == 1 with input as ask("high", ["mfa"], "")
