# At night and at weekends one more pair of eyes: whoever decides then, two of them do.
package jitsudo.approval

zone := "Europe/Berlin"

approver_group := "on-call-leads"

min_approvals := 2 if not daytime

min_approvals := 1 if daytime

daytime if {
	now := [input.context.now_ns, zone]
	not time.weekday(now) in {"Saturday", "Sunday"}
	[hour, _, _] := time.clock(now)
	hour >= 7
	hour < 20
}
