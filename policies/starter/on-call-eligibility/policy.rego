# Who may ask: the site reliability engineers, for the roles that they use, for as long as each is reasonable.
package jitsudo.eligibility

import data.jitsudo.lib.roles

default allow := false

allow if "sre" in input.requester.groups

# Reading for four hours, anything else for one hour at a time.
max_duration_seconds := 14400 if roles.read_only(input.request.role)

max_duration_seconds := 3600 if not roles.read_only(input.request.role)

# Twelve hours without a break, however often it is extended.
max_total_seconds := 43200

# Nobody asks for a right without saying why.
deny contains "say why: a request needs a reason" if input.request.reason == ""

reason := "only members of the group sre may ask" if not "sre" in input.requester.groups
