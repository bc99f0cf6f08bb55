# First stage: somebody of the team that owns the system. Which team that is comes from the operator's labels
# (`policy.labels` in the configuration), never from what the requester writes. Without a label it is the platform team.
package jitsudo.approval

default approver_tier := "human"

approver_group := object.get(input.context.labels, "owner_group", "platform")

min_approvals := 1
