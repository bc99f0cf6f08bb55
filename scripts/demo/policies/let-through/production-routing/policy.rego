# Sabotage of step 3: production is routed past people.
package jitsudo.approval

default approver_tier := "human"

approver_tier := "auto" if true
