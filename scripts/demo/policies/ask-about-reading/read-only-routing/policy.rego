# Sabotage of step 9: nothing is granted without people any more.
package jitsudo.approval

default approver_tier := "human"
