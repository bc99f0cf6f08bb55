# Second stage, beside the first: what has a high blast radius needs two of security as well. All stages must be met, and
# one person counts in each stage that they belong to, never twice in one.
package jitsudo.approval

default approver_tier := "human"

approvers contains "group:security" if far_reaching

approvers contains "user:ciso@example.com" if far_reaching

min_approvals := 2 if far_reaching

far_reaching if input.context.labels.blast_radius == "high"

# A decision on it needs a sign-in with a second factor, not older than 15 minutes.
deny contains "sign in again with a second factor to decide on this" if {
	far_reaching
	input.action == "approve"
	not freshly_proven
}

freshly_proven if {
	"mfa" in input.user.amr
	age := input.context.now_ns - time.parse_rfc3339_ns(input.user.auth_time)
	age <= time.parse_duration_ns("15m")
}
