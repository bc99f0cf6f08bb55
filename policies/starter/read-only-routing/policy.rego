# Read-only roles need nobody, up to an hour.
package jitsudo.approval

import data.jitsudo.lib.roles

default approver_tier := "human"

approver_tier := "auto" if {
	roles.read_only(input.request.role)
	input.request.duration_seconds <= 3600
	"sre" in input.requester.groups
}
