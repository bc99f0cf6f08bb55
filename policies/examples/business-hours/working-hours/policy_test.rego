package jitsudo.eligibility_test

import data.jitsudo.eligibility

at(text, role) := {
	"action": "request",
	"request": {"role": role},
	"context": {"now_ns": time.parse_rfc3339_ns(text)},
}

denied(text, role) if count(eligibility.deny) == 1 with input as at(text, role)

free(text, role) if count(eligibility.deny) == 0 with input as at(text, role)

test_wednesday_morning if free("2026-01-14T09:00:00Z", "prod-admin")

test_saturday if denied("2026-01-17T09:00:00Z", "prod-admin")

test_the_last_minute if free("2026-01-14T16:59:59Z", "prod-admin")

test_the_first_minute_after if denied("2026-01-14T17:00:00Z", "prod-admin")

# Berlin is two hours ahead in summer: 7:30 UTC is 9:30 there, in winter it is 8:30.
test_summer_time if free("2026-07-15T07:30:00Z", "prod-admin")

test_winter_time if denied("2026-01-14T07:30:00Z", "prod-admin")

test_other_roles_at_any_time if free("2026-01-17T03:00:00Z", "reader")

test_break_glass_at_any_time if {
	document := object.union(at("2026-01-17T03:00:00Z", "prod-admin"), {"action": "break_glass"})
	count(eligibility.deny) == 0 with input as document
}

test_the_reason_says_when if {
	eligibility.deny == {"prod-admin is given Monday to Friday, 9 to 18 o'clock in Europe/Berlin; there it is Saturday 10:00"} with input as at("2026-01-17T09:00:00Z", "prod-admin")
}
