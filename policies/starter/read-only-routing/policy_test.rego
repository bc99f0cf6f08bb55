package jitsudo.approval_test

import data.jitsudo.approval

ask(role, seconds) := {
	"requester": {"groups": ["sre"]},
	"request": {"role": role, "duration_seconds": seconds},
}

test_reading_needs_nobody if approval.approver_tier == "auto" with input as ask("reader", 3600)

test_reading_for_long_needs_somebody if approval.approver_tier == "human" with input as ask("reader", 3601)

test_writing_needs_somebody if approval.approver_tier == "human" with input as ask("prod-admin", 60)

test_a_name_that_begins_like_reading_is_not if approval.approver_tier == "human" with input as ask("readwrite", 60)

test_others_need_somebody if {
	approval.approver_tier == "human" with input as {
		"requester": {"groups": ["dev"]},
		"request": {"role": "reader", "duration_seconds": 60},
	}
}
