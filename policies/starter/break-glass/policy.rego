# In an emergency those on call get what they need at once, for an hour. It alerts, and another person reviews it.
package jitsudo.breakglass

default allow := false

allow if {
	"sre" in input.requester.groups
	count(input.request.reason) >= 10
}

max_duration_seconds := 3600

block_on_open_review := true

reason := "break-glass is for those on call, with a reason of substance" if not allow
