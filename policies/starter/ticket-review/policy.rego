# A deployment role whose ticket the operator's labels say is open may be looked at by an AI reviewer first. The label
# comes from the operator, never from what the requester writes; without it nothing changes.
package jitsudo.approval

default approver_tier := "human"

approver_tier := "ai_review" if covered

default ai_allow := false

# What the reviewer may approve, whatever it says: small, short, on its own confidence and low risk.
ai_allow if {
	covered
	input.request.duration_seconds <= 1800
	input.review.confidence >= 0.8
	input.review.risk == "low"
}

covered if {
	startswith(lower(input.request.role), "deploy")
	input.context.labels.ticket_open == true
	input.context.labels.facts_ok == true
}
