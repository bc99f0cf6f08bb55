package jitsudo.approval_test

import data.jitsudo.approval

labelled(labels) := {"context": {"labels": labels}}

test_the_owners_decide if {
	approval.approver_group == "payments-oncall" with input as labelled({"owner_group": "payments-oncall"})
}

test_platform_decides_on_what_nobody_owns if approval.approver_group == "platform" with input as labelled({})

test_never_without_people if approval.approver_tier == "human" with input as labelled({})
