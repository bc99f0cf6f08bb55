# Everything that is not read-only is decided by one of the leads, at that moment.
package jitsudo.approval

default approver_tier := "human"

approver_group := "sre-leads" if not read_only

min_approvals := 1

read_only if regex.match(`^(read|view|audit)`, lower(input.request.role))
