package jitsudo.approval_test

import data.jitsudo.approval

ask(role, labels, review) := {
	"request": {"role": role, "duration_seconds": 900},
	"review": review,
	"context": {"labels": labels},
}

open_ticket := {"ticket_open": true, "facts_ok": true}

sure := {"confidence": 0.9, "risk": "low", "model": "m"}

test_open_ticket_goes_to_review if {
	approval.approver_tier == "ai_review" with input as ask("deployer", open_ticket, sure)
}

test_no_ticket_goes_to_people if {
	approval.approver_tier == "human" with input as ask("deployer", {"facts_ok": true}, sure)
}

test_other_roles_go_to_people if {
	approval.approver_tier == "human" with input as ask("prod-admin", open_ticket, sure)
}

test_reviewer_may_approve_what_is_small if approval.ai_allow with input as ask("deployer", open_ticket, sure)

test_reviewer_may_not_when_unsure if {
	not approval.ai_allow with input as ask("deployer", open_ticket, {"confidence": 0.5, "risk": "low", "model": "m"})
}

test_reviewer_may_not_without_ticket if not approval.ai_allow with input as ask("deployer", {"facts_ok": true}, sure)
