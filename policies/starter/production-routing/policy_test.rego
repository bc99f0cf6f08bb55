package jitsudo.approval_test

import data.jitsudo.approval

test_leads_decide_on_production if {
	approval.approver_group == "sre-leads" with input as {"request": {"role": "prod-admin"}}
}

test_leads_decide_on_reading_that_needs_somebody if {
	approval.approver_group == "sre-leads" with input as {"request": {"role": "reader"}}
}

test_one_is_enough if approval.min_approvals == 1

test_it_has_no_opinion_on_the_tier if approval.approver_tier == "human" with input as {"request": {"role": "reader"}}
