package jitsudo.approval_test

import data.jitsudo.approval

at(text) := {"context": {"now_ns": time.parse_rfc3339_ns(text)}}

test_one_by_day if approval.min_approvals == 1 with input as at("2026-01-14T10:00:00Z")

test_two_by_night if approval.min_approvals == 2 with input as at("2026-01-14T22:00:00Z")

test_two_on_sundays if approval.min_approvals == 2 with input as at("2026-01-18T10:00:00Z")

test_leads_decide if approval.approver_group == "on-call-leads" with input as at("2026-01-14T10:00:00Z")
