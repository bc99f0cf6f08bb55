package jitsudo.eligibility_test

import data.jitsudo.eligibility

ask(groups, role, reason) := {
	"requester": {"groups": groups},
	"request": {"role": role, "duration_seconds": 600, "reason": reason},
}

test_sre_may_ask if eligibility.allow with input as ask(["sre"], "prod-admin", "INC-1")

test_others_may_not if not eligibility.allow with input as ask(["dev"], "prod-admin", "INC-1")

test_others_are_told_why if {
	eligibility.reason == "only members of the group sre may ask" with input as ask(["dev"], "reader", "INC-1")
}

test_group_names_are_exact if not eligibility.allow with input as ask(["SRE"], "reader", "INC-1")

test_a_reason_is_needed if count(eligibility.deny) == 1 with input as ask(["sre"], "reader", "")

test_read_only_may_be_longer if eligibility.max_duration_seconds == 14400 with input as ask(["sre"], "ReadOnly", "x")

test_admin_is_an_hour if eligibility.max_duration_seconds == 3600 with input as ask(["sre"], "prod-admin", "x")
