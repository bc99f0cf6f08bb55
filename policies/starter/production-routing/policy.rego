# Whatever needs a person is decided by one of the leads, at that moment: production always, reading when it is asked
# for longer than policy gives by itself, or when facts are missing.
package jitsudo.approval

default approver_tier := "human"

approver_group := "sre-leads"

min_approvals := 1
