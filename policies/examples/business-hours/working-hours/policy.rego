# Administrators' roles are given while colleagues are at work: Monday to Friday, 9 to 18 o'clock in Berlin. Summer time
# is the time zone's business, and the clock is the decision's own, so that it can be evaluated again later.
package jitsudo.eligibility

zone := "Europe/Berlin"

weekdays := {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}

administrative if regex.match(`(^|[/:_-])(admin|administrator|owner)$`, lower(input.request.role))

open if {
	now := [input.context.now_ns, zone]
	time.weekday(now) in weekdays
	[hour, _, _] := time.clock(now)
	hour >= 9
	hour < 18
}

# A denial wins over whatever another policy allows; break-glass is bound by it too, hence the exception.
deny contains message if {
	administrative
	not open
	input.action == "request"
	message := sprintf(
		"%s is given Monday to Friday, 9 to 18 o'clock in %s; there it is %s",
		[input.request.role, zone, time.format([input.context.now_ns, zone, "Monday 15:04"])],
	)
}
