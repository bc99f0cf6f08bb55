package jitsudo.approval_test

import data.jitsudo.approval

ask(role, seconds) := {
	"requester": {"groups": ["sre"]},
	"request": {"role": role, "duration_seconds": seconds},
}

test_reading_needs_nobody if approval.approver_tier == "auto" with input as ask("reader", 3600)

test_reading_for_long_needs_somebody if approval.approver_tier == "human" with input as ask("reader", 3601)

test_writing_needs_somebody if approval.approver_tier == "human" with input as ask("prod-admin", 60)
