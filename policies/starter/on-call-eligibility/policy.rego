# Who may ask: the site reliability engineers, for the roles that they use, for as long as each is reasonable.
package jitsudo.eligibility

default allow := false

allow if {
	"sre" in input.requester.groups
	max_duration_seconds
}

# Read-only for a working day's half, anything else for an hour at a time.
max_duration_seconds := 14400 if read_only

max_duration_seconds := 3600 if not read_only

max_total_seconds := 43200

read_only if regex.match(`^(read|view|audit)`, lower(input.request.role))

# Nobody asks for a right without saying why.
deny contains "say why: a request needs a reason" if input.request.reason == ""

reason := "only members of the group sre may ask" if not "sre" in input.requester.groups
