package jitsudo.approval_test

import data.jitsudo.approval

test_leads_decide_on_production if {
	approval.approver_group == "sre-leads" with input as {"request": {"role": "prod-admin"}}
}

test_reading_names_nobody if {
	not approval.approver_group with input as {"request": {"role": "reader"}}
}
